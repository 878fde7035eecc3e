import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  modelList,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
  untilState,
} from "../support/proxy/discovery.ts";
import { until } from "../support/until.ts";

describe("Fleet.members", () => {
  test("shows every labelled container, sorted by name, with its address and models", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m", "n");
    const routed = fake.add({ port: models.port, name: "b-routed" });
    fake.add({ labels: { "inference.enable": "yes" }, name: "c-wrong" });
    fake.add({ status: "exited", name: "a-exited" });
    fake.add({ labels: { other: "true" }, name: "not ours" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    expect(discovery.containers().map(({ name, state }) => [name, state])).toEqual([
      ["a-exited", "stopped"],
      ["b-routed", "routed"],
      ["c-wrong", "ignored"],
    ]);
    const route = discovery.table.route("m");
    expect(discovery.containers()[1]).toEqual({
      id: routed.id,
      name: "b-routed",
      state: "routed",
      reason: "healthy",
      since: expect.stringMatching(/^\d{4}-.*Z$/),
      address: `http://127.0.0.1:${models.port}`,
      models: ["m", "n"],
      model_count: 2,
      in_flight: 1,
      max_in_flight: null,
      load: null,
      requests_last_minute: null,
      last_exit: null,
      crash_loop: false,
      recent: null,
    });
    if (route.kind === "routed") route.lease.end();
    expect(discovery.containers()[1]?.in_flight).toBe(0);
  });

  test("shows a created container at once, and a new name at once", async () => {
    using fake = await new FakeEngine().start();
    using discovery = startDiscovery(fake);
    await until("the stream is open", () => fake.streamCount === 1);
    const asked = decodeURIComponent(fake.requests.find((path) => path.includes("/events")) ?? "");
    expect(asked).toContain('"create"');
    expect(asked).toContain('"rename"');
    const container = fake.add({ status: "created", name: "before" });
    fake.emit(container, "create");
    await untilState(discovery, container, "stopped");
    fake.containers.set(container.id, { ...container, name: "after" });
    fake.emit(container, "rename");
    await until("it is shown", () => discovery.containers()[0]?.name === "after");
  });

  test("follows a container through its states, with one log line for each change", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    models.answer = () => new Response("", { status: 503 });
    const container = fake.add({ port: models.port, health: "starting" });
    using discovery = startDiscovery(fake);
    await untilState(discovery, container, "starting");
    fake.setHealth(container, "healthy");
    await until("it has failed", () => discovery.log.count("503") === 1);
    models.answer = () => modelList("m");
    await untilState(discovery, container, "routed");
    fake.setHealth(container, "unhealthy");
    await untilState(discovery, container, "unhealthy");
    fake.setHealth(container, "healthy");
    await untilState(discovery, container, "routed");
    fake.kill(container);
    await untilState(discovery, container, "stopping");
    fake.exit(container);
    await untilState(discovery, container, "stopped");
    fake.containers.delete(container.id);
    fake.emit(container, "destroy");
    await until("it is no longer shown", () => stateOf(discovery, container) === undefined);
    const said = discovery.log.lines.filter((line) => line["container"] === container.name);
    expect(said.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info container starting",
      "info container reading_models",
      "warn container reading_models", // 503
      "info container routed",
      "warn container unhealthy",
      "debug container routed", // again within a minute
      "info container stopping",
      "info container stopped",
    ]);
  });

  test("two containers with one model: the reasons say which one gets its requests, at any time", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    fake.add({ port: models.port, name: "old" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    const young = fake.add({ port: models.port, name: "young" });
    fake.emit(young, "health_status: healthy");
    await untilState(discovery, young, "routed");
    const reasons = (): readonly string[] => discovery.containers().map(({ reason }) => reason);
    expect(reasons()).toEqual([
      "healthy; young gets the requests for model m: it became healthy later",
      "healthy; gets the requests for model m instead of old",
    ]);
    const lines = discovery.log.lines.length;
    fake.kill(young);
    await untilState(discovery, young, "stopping");
    expect(reasons()).toEqual(["healthy", "told to stop; requests in flight may finish"]);
    expect(discovery.log.lines.length).toBe(lines + 1); // only the line about stopping
  });

  test("a container that the engine can't show is unknown, and the reason says why", async () => {
    using fake = await new FakeEngine().start();
    const container = fake.add();
    fake.intercept = (path) =>
      path.includes(container.id) ? { status: 500, body: '{"message":"dead store"}' } : undefined;
    using discovery = startDiscovery(fake);
    await until("it was asked for", () => discovery.log.count("dead store") > 0);
    expect(discovery.containers()).toMatchObject([
      { state: "unknown", reason: expect.stringContaining("dead store") },
    ]);
  });
});

describe("Fleet, models whose container is away", () => {
  test("restarting and starting again: unavailable; exited: unknown", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    container.status = "restarting";
    fake.emit(container, "die");
    await untilState(discovery, container, "restarting");
    expect(discovery.table.find("m").kind).toBe("unavailable");
    fake.startAgain(container);
    await untilState(discovery, container, "starting");
    expect(discovery.table.find("m").kind).toBe("unavailable");
    fake.exit(container);
    await untilState(discovery, container, "stopped");
    await untilKind(discovery, "unknown"); // the event says "stopped", the inspection after it shows what followed
    fake.startAgain(container);
    await untilState(discovery, container, "starting");
    expect(discovery.table.find("m").kind).toBe("unavailable");
  });

  test("paused: the trouble is known, for a routed model and for one that was starting again", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    container.status = "paused";
    fake.emit(container, "pause");
    await untilState(discovery, container, "paused");
    expect(discovery.table.find("m")).toEqual({ kind: "draining", id: "m", trouble: "paused" });
    container.status = "running";
    fake.kill(container);
    await untilState(discovery, container, "stopping");
    expect(discovery.table.find("m")).toEqual({ kind: "draining", id: "m", trouble: "stopping" });
    fake.startAgain(container);
    await untilState(discovery, container, "starting");
    expect(discovery.table.find("m")).toEqual({ kind: "unavailable", id: "m" });
    container.status = "paused";
    fake.emit(container, "pause");
    await untilState(discovery, container, "paused");
    expect(discovery.table.find("m")).toEqual({ kind: "unavailable", id: "m", trouble: "paused" });
  });

  test("recreated under its name: unavailable while it starts, as after a restart", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const old = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.containers.delete(old.id);
    fake.emit(old, "destroy");
    await untilKind(discovery, "unknown");
    const young = fake.add({ port: models.port, name: "vllm", health: "starting" });
    fake.emit(young, "start");
    await untilState(discovery, young, "starting");
    expect(discovery.table.find("m")).toEqual({ kind: "unavailable", id: "m" });
  });

  test("recreated under its name with a setup that can't be routed: unknown", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const old = fake.add({ port: models.port, name: "vllm" });
    using discovery = startDiscovery(fake);
    await untilKind(discovery, "live");
    fake.containers.delete(old.id);
    fake.emit(old, "destroy");
    const young = fake.add({ port: models.port, name: "vllm", health: undefined });
    fake.emit(young, "start");
    await untilState(discovery, young, "ignored");
    expect(discovery.table.find("m").kind).toBe("unknown");
  });
});
