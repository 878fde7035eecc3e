import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import {
  kindOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../../support/proxy/discovery.ts";
import { until } from "../../support/until.ts";

const ENABLED = { "inference.enable": "true" };

describe("A container with a label that has the name of an event attribute", () => {
  test.each(["fancy", "1", "", "15"])("signal=%p: docker stop drains at once", async (signal) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const labels = { ...ENABLED, "inference.port": String(models.port), signal };
    const container = fake.add({ labels });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.emit(container, "kill", { signal }); // the label's value instead of 15
    await untilKind(discovery, "draining");
    await discovery.docker.resync();
    expect(kindOf(discovery)).toBe("draining");
  });

  test("signal=1: knows a stop that began before the start", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const labels = { ...ENABLED, "inference.port": String(models.port), signal: "1" };
    const container = fake.add({ labels });
    fake.emit(container, "kill", { signal: "1" });
    using discovery = startDiscovery(fake);
    await until("it is stopping", () => discovery.containers()[0]?.state === "stopping");
    expect(models.reads()).toBe(0);
  });

  test("other names hide nothing: a harmless signal does not drain", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const names = { container: "x", name: "x", exitCode: "1", Signal: "15" };
    const labels = { ...ENABLED, "inference.port": String(models.port), ...names };
    const container = fake.add({ labels });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.kill(container, 1);
    fake.emit(container, "kill"); // as from Podman: without a signal
    await until("they have come", () => discovery.received() === 2);
    await discovery.docker.resync();
    expect(kindOf(discovery)).toBe("live");
  });
});
