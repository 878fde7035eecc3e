/** Servers whose models a label names. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import type { FakeContainer } from "../support/engine/replies.ts";
import {
  kindOf,
  serverOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../support/proxy/discovery.ts";
import { listed } from "../support/server/backends.ts";
import { expectNever, until } from "../support/until.ts";

/** A server that must get no request. */
function startUnasked() {
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) => {
      asked.push(url);
      return new Response("", { status: 401 });
    },
  });
  return { asked, port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) };
}

type Rig = { readonly fake: FakeEngine; readonly port: number };

function addNamed({ fake, port }: Rig, models: string, init: Partial<FakeContainer> = {}) {
  const labels = {
    "inference.enable": "true",
    "inference.port": String(port),
    "inference.models": models,
  };
  return fake.add({ name: "vllm", labels, ...init });
}

const FROM_LABEL = "healthy; the label inference.models names its models";

describe("Fleet, with a server whose label names its models", () => {
  test("routes it as soon as it is healthy, only by these names", async () => {
    using fake = await new FakeEngine().start();
    using server = startUnasked();
    const container = addNamed({ fake, port: server.port }, "org/b, a", { health: "starting" });
    using discovery = startDiscovery(fake, { rereadMs: 5, refreshMs: 0, refreshOfMs: 0 });
    await until("it is ready", () => discovery.fleet.isReady);
    expect([kindOf(discovery, "a"), kindOf(discovery, "other")]).toEqual([
      "unavailable",
      "unknown",
    ]);
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live", "a");
    const entry = { object: "model", created: 0, owned_by: "vllm" };
    expect(listed(discovery.table.models)).toEqual([
      { id: "a", ...entry },
      { id: "org/b", ...entry },
    ]);
    expect(kindOf(discovery, "other")).toBe("unknown");
    expect(discovery.containers()).toMatchObject([
      { state: "routed", reason: FROM_LABEL, models: ["org/b", "a"] },
    ]);
    expect(discovery.log.lines.filter(({ level }) => level === "warn")).toEqual([]);
  });

  test("never asks it for its list or for /info, and logs no more than usual", async () => {
    using fake = await new FakeEngine().start();
    using server = startUnasked();
    const container = addNamed({ fake, port: server.port }, "m");
    using discovery = startDiscovery(fake, { rereadMs: 2, refreshMs: 0, refreshOfMs: 0 });
    await untilKind(discovery, "live");
    const lines = discovery.log.lines.length;
    await discovery.fleet.refreshModels();
    await discovery.fleet.refreshModelsOf(serverOf(container));
    await expectNever("it is asked", () => server.asked.length > 0, 40);
    expect(discovery.log.lines.slice(lines)).toEqual([]);
    expect(discovery.table.updates).toEqual(["admit"]);
    fake.setHealth(container, "unhealthy");
    await untilKind(discovery, "draining");
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live");
    expect(server.asked).toEqual([]);
  });

  test("knows it by these names while it is expected back", async () => {
    using fake = await new FakeEngine().start();
    using server = startUnasked();
    const container = addNamed({ fake, port: server.port }, "m");
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.exit(container);
    await untilKind(discovery, "unknown");
    fake.startAgain(container);
    await untilKind(discovery, "unavailable");
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live");
  });

  test("a newer one gets the requests for a model that another container lists", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m", "other");
    using server = startUnasked();
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const named = addNamed({ fake, port: server.port }, "m", { health: "starting" });
    fake.setHealth(named, "healthy");
    await until("there is a warning", () => discovery.log.count("duplicate models") === 1);
    const owners = ["m", "other"].map((model) => {
      const route = discovery.table.route(model);
      return route.kind === "routed" && route.lease.backend.run.id === named.id;
    });
    expect(owners).toEqual([true, false]);
  });

  test("ignores a container whose label has no name in it, and asks it nothing", async () => {
    using fake = await new FakeEngine().start();
    using server = startUnasked();
    addNamed({ fake, port: server.port }, " , ");
    using discovery = startDiscovery(fake);
    await until("it is ignored", () => discovery.containers()[0]?.state === "ignored");
    expect(discovery.containers()[0]?.reason).toBe(
      'label inference.models is " , ": write the names of its models, separated by commas',
    );
    expect(server.asked).toEqual([]);
  });

  test("asks a container for its list if its label is empty", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    addNamed({ fake, port: models.port }, "");
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    expect(models.reads()).toBe(1);
  });
});

test("a container whose labels are all empty counts as one without labels", async () => {
  using fake = await new FakeEngine().start();
  const labels = { "inference.enable": "", "inference.models": "" };
  const container = fake.add({ name: "off", labels });
  using discovery = startDiscovery(fake);
  await until("it is ready", () => discovery.fleet.isReady);
  fake.setHealth(container, "healthy");
  await until("the event has arrived", () => discovery.received() === 1);
  await discovery.docker.resync();
  expect([discovery.containers(), discovery.log.count("off")]).toEqual([[], 0]);
});
