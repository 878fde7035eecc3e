import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  kindOf,
  modelList,
  serverOf,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../support/proxy/discovery.ts";
import { expectNever, until } from "../support/until.ts";

const SOON = { rereadMs: 20 };
const SILENT = (): Promise<Response> => new Promise(() => undefined);

describe("Fleet, reading models again", () => {
  test("follows models that come and go; a request for a gone model finishes", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("base", "old");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live", "old");
    const running = discovery.table.route("old");
    models.answer = () => modelList("base", "new");
    await untilKind(discovery, "live", "new");
    expect([kindOf(discovery, "old"), kindOf(discovery, "base")]).toEqual(["unknown", "live"]);
    if (running.kind !== "routed") throw new Error("not routed");
    const { backend } = running.lease;
    expect([backend.state, backend.inFlight, discovery.table.backends.size]).toEqual([
      "active",
      1,
      1,
    ]);
    running.lease.end();
    expect(discovery.log.count("models changed")).toBe(1);
  });

  test("an entry that changes under the same id is replaced without a log line", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    let created = 0;
    models.answer = () => {
      created += 1;
      return Response.json({ data: [{ id: "m", created }] });
    };
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await until("it has changed", () => JSON.stringify(discovery.table.models).includes(":3"));
    expect(discovery.log.count("models changed")).toBe(0);
  });

  test("an empty list counts: its models go, and may come back", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    models.answer = () => modelList();
    await untilKind(discovery, "unknown");
    models.answer = () => modelList("m");
    await untilKind(discovery, "live");
  });

  test.each<[what: string, answer: () => Response, reason: string]>([
    ["503", () => new Response("", { status: 503 }), "503 Service Unavailable"],
    ["404", () => new Response("", { status: 404 }), "404 Not Found"],
    ["HTML", () => new Response("<html>"), "is HTML"],
    ["no data", () => Response.json({ object: "list" }), "no list"],
    ["half a list", () => new Response('{"data":[{"id":"new"}'), "not JSON"],
  ])("an answer of %s keeps the list, with one warning", async (_what, answer, reason) => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    models.answer = answer;
    const before = models.reads();
    await until("several have failed", () => models.reads() > before + 3);
    expect(kindOf(discovery)).toBe("live");
    const warnings = discovery.log.lines.filter(({ level }) => level === "warn");
    expect(warnings.map((line) => line["reason"])).toEqual([
      expect.stringMatching(
        new RegExp(`^cannot read its model list: .*${reason}.*; the proxy keeps the last one$`),
      ),
    ]);
    models.answer = () => modelList("m", "new");
    await untilKind(discovery, "live", "new");
  });

  test("a silent server gets one read at a time, and keeps its list", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, { ...SOON, refreshMs: 0 });
    await untilKind(discovery, "live");
    models.answer = SILENT;
    const before = models.reads();
    await until("it is asked", () => models.reads() > before);
    const isAskedAgain = (): boolean => {
      void discovery.fleet.refreshModels();
      return kindOf(discovery) !== "live" || models.reads() > before + 1;
    };
    await expectNever("it is asked during the read in progress", isAskedAgain, 100);
  });

  test("a draining container is not asked; when it is healthy again, it is asked until a read succeeds", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    fake.setHealth(container, "unhealthy");
    await untilKind(discovery, "draining");
    const drainingAt = models.reads();
    // One read that had gone out may still arrive.
    await expectNever("it is read every 20 ms", () => models.reads() > drainingAt + 1, 60);
    const before = models.reads();
    await discovery.fleet.refreshModels();
    await discovery.fleet.refreshModelsOf(serverOf(container));
    expect(models.reads()).toBe(before);
    models.answer = () => new Response("", { status: 503 });
    fake.setHealth(container, "healthy");
    await untilKind(discovery, "live");
    await until("it is asked", () => models.reads() === before + 1);
    // For 100 ms, because the retry waits 0.25 s.
    await expectNever("there is a read besides the retry", () => models.reads() > before + 1, 100);
    models.answer = () => modelList("new");
    await untilKind(discovery, "live", "new");
  });

  test("a removed container is not asked any more", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    fake.exit(container);
    await untilKind(discovery, "unknown");
    const before = models.reads();
    // One read that had gone out may still arrive.
    await expectNever("it is read every 20 ms", () => models.reads() > before + 1, 60);
  });

  test("if a re-read shows that two containers have one model, there is a warning and the newer one serves it", async () => {
    using fake = await new FakeEngine().start();
    using first = startModelServer("a");
    using second = startModelServer("b");
    fake.add({ port: first.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live", "a");
    const newer = fake.add({ port: second.port, health: "starting" });
    fake.setHealth(newer, "healthy");
    await untilKind(discovery, "live", "b");
    first.answer = () => modelList("a", "b");
    await until("there is a warning", () => discovery.log.count("duplicate models") === 1);
    const route = discovery.table.route("b");
    expect(route.kind === "routed" && route.lease.backend.run.id).toBe(newer.id);
  });

  test("a server without /models is routed with the model from its /info", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    models.answer = () => new Response(null, { status: 404 });
    models.info = () => Response.json({ model_id: "BAAI/bge-m3" });
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live", "BAAI/bge-m3");
    models.info = () => new Response("", { status: 500 });
    await until("it has failed", () => discovery.log.count("404 Not Found") > 0);
    expect(kindOf(discovery, "BAAI/bge-m3")).toBe("live");
  });
});
