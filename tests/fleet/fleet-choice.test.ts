import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import { startDiscovery, startModelServer, untilKind } from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

describe("Fleet, choosing containers", () => {
  test.each([
    [{ health: undefined }, "HEALTHCHECK"],
    [{ labels: { "inference.enable": "yes" } }, 'write "true"'],
    [{ labels: { "inference.enable": "true", "inference.port": "0" } }, "inference.port"],
    [{ ipAddress: "" }, "no address"],
  ])("%o is ignored with one warning that says what to do", async (change, text) => {
    using fake = await new FakeEngine().start();
    const container = fake.add(change);
    using discovery = startDiscovery(fake);
    await until("it is ready", () => discovery.fleet.isReady);
    await discovery.docker.resync();
    await discovery.docker.resync();
    const warnings = discovery.log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      container: container.name,
      reason: expect.stringContaining(text),
    });
  });

  test("a container that is not healthy yet is logged once; an unhealthy one with the output of its probe", async () => {
    using fake = await new FakeEngine().start();
    const container = fake.add({ health: "starting" });
    using discovery = startDiscovery(fake);
    await until("it is logged", () => discovery.log.count("container starting") === 1);
    container.probeOutput = 'exec: "curl": executable file not found in $PATH\n';
    fake.setHealth(container, "unhealthy");
    await until("there is a warning", () => discovery.log.count("executable file not found") === 1);
    await discovery.docker.resync();
    const told = discovery.log.lines.filter((line) => line["container"] === container.name);
    expect(told.map(({ level }) => level)).toEqual(["info", "warn"]);
  });

  test("unknown labels cause one warning, and the container is still routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({
      labels: {
        "inference.enable": "true",
        "inference.port": String(models.port),
        "inference.prot": "9000",
      },
    });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    await discovery.docker.resync();
    expect(discovery.log.count('"labels":["inference.prot"]')).toBe(1);
  });

  test("two containers with one model: the one that became healthy last wins, in any order of the reads; one warning", async () => {
    using fake = await new FakeEngine().start();
    using slow = startModelServer("m");
    using fast = startModelServer("m");
    const gate = Promise.withResolvers<void>();
    const answer = slow.answer;
    slow.answer = async () => {
      await gate.promise;
      return answer();
    };
    const winner = fake.add({
      name: "winner",
      port: slow.port,
      health: "starting",
      startedAtMs: Date.now() - 9_000,
    });
    const other = fake.add({ name: "other", port: fast.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.setHealth(winner, "healthy");
    await until("the slow one is asked", () => slow.reads() > 0);
    gate.resolve();
    const servedBy = (): string => {
      const route = discovery.table.route("m");
      return route.kind === "routed" ? route.lease.backend.name : route.kind;
    };
    await until("the winner serves", () => servedBy() === "winner");
    expect(discovery.log.lines.filter(({ instead_of }) => instead_of === "other")).toHaveLength(1);
    fake.kill(winner);
    await until("the other serves again", () => servedBy() === "other");
    fake.exit(winner);
    fake.startAgain(winner);
    fake.setHealth(winner, "healthy");
    await until("the winner serves again", () => servedBy() === "winner");
    fake.exit(other);
    await until("the other is gone", () => discovery.table.backends.size === 1);
  });

  test("uses the address in a network that the proxy's own container shares", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    const own = fake.add({ labels: {}, ipAddress: "127.0.0.9" });
    using discovery = startDiscovery(fake, { own: { containerId: own.id } });
    await untilKind(discovery, "live");
    expect(fake.requests.filter((path) => path.includes(own.id)).length).toBeGreaterThan(0);
  });
});
