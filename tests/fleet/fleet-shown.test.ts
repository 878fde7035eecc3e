/** What `GET /status` shows of the containers besides their states. */
import { describe, expect, test } from "bun:test";
import { Fleet, type FleetInit } from "../../src/fleet/fleet.ts";
import type { ModelList } from "../../src/fleet/model-list.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import type { Present, Sighting, SightingListener } from "../../src/sources/sighting.ts";
import type { LastExit } from "../../src/status.ts";
import { Changes } from "../../src/telemetry/changes.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  modelList,
  startDiscovery,
  startModelServer,
  stateOf,
  untilState,
} from "../support/proxy/discovery.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { recent } from "../support/proxy/recent.ts";
import { listOf } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const SERVER = { source: "test", id: "one" };
const RUN = { ...SERVER, startedAtMs: 2 };
const COMMON = { server: SERVER, name: "vllm", slots: ["name vllm"] };
const ORIGIN = "http://127.0.0.1:1";

const CRASHED: RunEnd = {
  kind: "exited",
  brief: "exited with code 1",
  reason: "exited with code 1",
  atMs: 7_000,
};
const CRASH: LastExit = { reason: "exited with code 1", at: "1970-01-01T00:00:07.000Z" };

const RECENT = recent(3);

type Rig = { readonly fleet: Fleet; readonly listener: SightingListener };

function rig(more: Partial<FleetInit> = {}): Rig {
  const table = new RoutingTable();
  const readModels = (): Promise<ModelList> => Promise.resolve(listOf("m"));
  const fleet = new Fleet({ table, log: memoryLog(), drainTimeoutMs: 60_000, readModels, ...more });
  const source = { name: "test", isFollowing: () => true, settled: () => Promise.resolve() };
  return { fleet, listener: fleet.join(source) };
}

function present(more: Partial<Present> = {}): Sighting {
  return {
    ...COMMON,
    ...{ kind: "present", run: RUN, origin: ORIGIN, origins: [ORIGIN], seen: "starting" },
    ...{ settings: { basePath: "/v1" }, ...more },
  };
}

const GONE: Sighting = {
  ...COMMON,
  ...{ kind: "absent", state: "stopped", reason: "why", comesBack: false, outlook: "gone" },
};

test("each container shows its own recent numbers", () => {
  const asked: unknown[] = [];
  const { fleet, listener } = rig({
    recentOfContainer: (server) => {
      asked.push(server.id);
      return RECENT;
    },
  });
  listener.saw(present(), 1);
  expect(fleet.members[0]?.recent).toEqual(RECENT);
  expect(asked).toEqual([SERVER.id]);
});

function lastExit({ fleet }: Rig): LastExit | null | undefined {
  return fleet.members[0]?.last_exit;
}

describe("last_exit", () => {
  test("is null until a run has ended, and stays when its source no longer knows about it", () => {
    const made = rig();
    made.listener.saw(present(), 1);
    expect(lastExit(made)).toBeNull();
    made.listener.over(RUN, CRASHED);
    expect(lastExit(made)).toEqual(CRASH);
    made.listener.saw({ ...GONE, end: CRASHED }, 2);
    made.listener.saw(present({ run: { ...RUN, startedAtMs: 9_000 } }), 3);
    expect(lastExit(made)).toEqual(CRASH);
  });

  test("is known for a run that ended before the proxy saw the container", () => {
    const made = rig();
    made.listener.saw(present({ lastEnd: CRASHED }), 1);
    expect(lastExit(made)).toEqual(CRASH);
  });

  test("belongs to the last run, even if its end was not seen", () => {
    const made = rig();
    made.listener.saw(present({ lastEnd: CRASHED }), 1);
    made.listener.saw(GONE, 2);
    expect(lastExit(made)).toEqual({ reason: "has ended", at: null });
  });

  test("is null for a container that has only lost its network", () => {
    const made = rig();
    const lost = { kind: "unknown", brief: "has lost its network", reason: "…" } as const;
    made.listener.saw(present(), 1);
    made.listener.over(RUN, lost);
    expect(lastExit(made)).toBeNull();
  });

  test("has the time of the engine's clock", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    await untilState(discovery, container, "routed");
    const beganMs = Date.now();
    fake.exit(container);
    await untilState(discovery, container, "stopped");
    await until("its end is known", () => discovery.containers()[0]?.last_exit != null);
    const { reason, at } = discovery.containers()[0]!.last_exit!;
    expect(reason).toStartWith("exited with code");
    expect(Date.parse(at ?? "")).toBeWithin(beganMs, Date.now() + 1);
  });
});

test("the last changes have the states of a container, its models, and that the proxy is ready", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const old = fake.add({ status: "exited", name: "old" });
  const container = fake.add({ port: models.port, name: "vllm" });
  const changes = new Changes();
  using discovery = startDiscovery(fake, { changes, rereadMs: 20 });
  await untilState(discovery, container, "routed");
  await untilState(discovery, old, "stopped");
  await until("it is ready", () => discovery.fleet.isReady);
  models.answer = () => modelList("m", "adapter");
  await until("it has both", () => discovery.table.models.length === 2);
  fake.kill(container);
  await untilState(discovery, container, "stopping");
  fake.exit(container);
  fake.containers.delete(container.id);
  fake.emit(container, "destroy");
  await until("it is no longer shown", () => stateOf(discovery, container) === undefined);
  const told = changes.latest.map(({ name, state, reason }) => `${name} ${state}: ${reason}`);
  expect(told.filter((text) => !text.includes("ready"))).toEqual([
    expect.stringMatching(/^vllm stopped: /),
    "vllm stopping: told to stop; requests in flight may finish",
    "vllm models changed: new: adapter",
    "vllm routed: healthy",
    "vllm reading_models: the proxy is reading its model list",
  ]);
  expect(told).toContain("lw-inference-proxy ready: 1 model");
});

describe("serversOf()", () => {
  test("lists the containers of a model by their present names, up to countMax", async () => {
    const { fleet, listener } = rig();
    const old = { ...SERVER, id: "two" };
    const oldRun = { ...old, startedAtMs: 1 };
    listener.saw({ ...present({ seen: "routable", run: oldRun }), server: old, name: "old" }, 1);
    listener.saw(present({ seen: "routable" }), 2);
    await until("both are routed", () => fleet.serversOf("m", 9).length === 2);
    listener.saw({ ...present({ seen: "routable" }), name: "n".repeat(1_000) }, 2);
    const renamed = { container: `${"n".repeat(200)}…`, gets: "all" } as const;
    expect(fleet.serversOf("m", 9)).toEqual([renamed, { container: "old", gets: "none" }]);
    expect(fleet.serversOf("m", 1)).toEqual([renamed]);
    expect(fleet.serversOf("x", 9)).toEqual([]);
  });
});

test("`recent` is the result of recentOfContainer()", () => {
  const asked: unknown[] = [];
  const { fleet, listener } = rig({
    recentOfContainer: (server) => {
      asked.push(server);
      return null;
    },
  });
  listener.saw(present(), 1);
  expect(fleet.members[0]?.recent).toBeNull();
  expect(asked).toEqual([SERVER]);
});

test("all containers together list no more models than fit, and each shows how many it has", async () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => `m${n}`);
  const { fleet, listener } = rig({ readModels: () => Promise.resolve(listOf(...ids)) });
  for (let n = 0; n < 8; n += 1) {
    const server = { ...SERVER, id: `${n}` };
    const run = { ...server, startedAtMs: n };
    listener.saw({ ...present({ seen: "routable", run }), server }, n);
  }
  await until("they are routed", () => fleet.members.every(({ state }) => state === "routed"));
  for (const { models, model_count } of fleet.members) {
    expect([models.length, model_count]).toEqual([8_192, 10_000]);
  }
});
