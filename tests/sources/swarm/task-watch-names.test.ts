import { expect, test } from "bun:test";
import type { Service, SwarmTask } from "../../../src/engine/swarm.ts";
import type { Sighting, SightingListener } from "../../../src/sources/sighting.ts";
import { type Answer, TaskWatch } from "../../../src/sources/swarm/task-watch.ts";

const NETWORK = "network-1";
const SERVICE: Service = {
  ...{ id: "s", name: "vllm", labels: { "inference.enable": "true" }, containerLabels: {} },
  ...{
    healthcheck: "given",
    stopTimeoutMs: 10_000,
    hostPorts: [],
    replicas: 1,
    isJob: false,
    update: undefined,
  },
};

const NODE = { id: "n", hostname: "h", state: "ready", address: "10.9.0.1" };

function task(id: string, host: string, desiredState = "running"): SwarmTask {
  return {
    ...{ id, serviceId: "s", slot: 1, nodeId: "n", createdAtMs: 1, containerId: "" },
    ...{ state: "running", desiredState, stateSinceMs: 1, error: "", message: "", hostPorts: [] },
    ...{ exitCode: undefined },
    networks: [{ id: NETWORK, name: "inf", isIngress: false, addresses: [host] }],
  };
}

function answer(...tasks: readonly SwarmTask[]): Answer {
  return { services: [SERVICE], tasks };
}

/** A watch whose fleet admits the tasks with the given names. */
function watched(): {
  readonly watch: TaskWatch;
  readonly admitted: Set<string>;
  readonly seen: (id: string) => string | undefined;
} {
  const told = new Map<string, Sighting>();
  const admitted = new Set<string>();
  const listener: SightingListener = {
    nextRank: () => 1,
    met: () => undefined,
    saw: (sighting) => void told.set(sighting.server.id, sighting),
    over: () => undefined,
    couldNotSee: () => undefined,
    takesRequests: ({ id }) => admitted.has(id),
    gone: () => undefined,
    passed: () => true,
  };
  const itself = { container: undefined, program: "", addresses: [] };
  const around = {
    whereabouts: { networks: [{ id: NETWORK, name: "inf" }], isOnHost: false },
    itself: { ...itself, listening: { host: undefined, port: 1 } },
    nodes: new Map([["n", NODE]]),
    ownServiceId: undefined,
  };
  const watch = new TaskWatch({ listener, around: () => around, ownView: () => undefined });
  const seen = (id: string): string | undefined => {
    const sighting = told.get(id);
    return sighting?.kind === "present" ? sighting.seen : sighting?.kind;
  };
  return { watch, admitted, seen };
}

test("start-first, and DNS drops the old task: it continues until the new one takes requests", () => {
  const { watch, admitted, seen } = watched();
  watch.saw(answer(task("old", "10.0.0.1")), 0);
  admitted.add("old");
  watch.sawNames("s", ["10.0.0.1"], 100);
  watch.saw(answer(task("old", "10.0.0.1", "shutdown"), task("new", "10.0.0.2")), 1_000);
  expect([seen("old"), seen("new")]).toEqual(["routable", "routable"]);
  watch.sawNames("s", ["10.0.0.2"], 1_600);
  watch.due(1_625);
  expect(seen("old")).toBe("routable"); // the proxy is still reading the models of the new one
  admitted.add("new");
  watch.due(1_650);
  expect(seen("old")).toBe("stopping");
});

test("an old task continues for a second at most, whatever DNS says", () => {
  const { watch, admitted, seen } = watched();
  watch.saw(answer(task("old", "10.0.0.1")), 0);
  admitted.add("old");
  watch.sawNames("s", ["10.0.0.1"], 100);
  watch.saw(answer(task("old", "10.0.0.1", "shutdown"), task("new", "10.0.0.2")), 1_000);
  watch.sawNames("s", ["10.0.0.2"], 1_900);
  expect(seen("old")).toBe("routable");
  watch.due(2_000);
  expect(seen("old")).toBe("stopping");
});

test("DNS drops a task that should run: it is unhealthy, and takes no requests at once", () => {
  const { watch, admitted, seen } = watched();
  const tasks = [task("a", "10.0.0.1"), task("b", "10.0.0.2")];
  watch.saw(answer(...tasks), 0);
  admitted.add("a");
  watch.sawNames("s", ["10.0.0.1", "10.0.0.2"], 100);
  watch.sawNames("s", ["10.0.0.2"], 600);
  expect([seen("a"), seen("b")]).toEqual(["not healthy", "routable"]);
  watch.sawNames("s", ["10.0.0.1", "10.0.0.2"], 1_100);
  expect(seen("a")).toBe("routable");
});

test("a task without a Swarm network gets its stop signal after a second: it continues for only 0.3 s", () => {
  const { watch, admitted, seen } = watched();
  const onNode = (id: string, desiredState?: string): SwarmTask => ({
    ...task(id, "", desiredState),
    networks: [],
    hostPorts: [{ protocol: "tcp", targetPort: 8000, publishedPort: 8000 }],
  });
  watch.saw(answer(onNode("old")), 0);
  admitted.add("old");
  watch.saw(answer(onNode("old", "shutdown"), onNode("new")), 1_000);
  expect([seen("old"), seen("new")]).toEqual(["routable", "routable"]);
  watch.due(1_299);
  expect(seen("old")).toBe("routable");
  watch.due(1_300);
  expect(seen("old")).toBe("stopping");
});

test("DNS is asked about services with a task that it may list, not about a service whose tasks are all starting", () => {
  const { watch, seen } = watched();
  const starting = { ...task("a", "10.0.0.1"), state: "starting" };
  watch.saw(answer(starting), 0);
  expect(watch.nameable).toEqual([]);
  watch.saw(answer({ ...starting, state: "running" }), 500);
  expect(watch.nameable.map(({ id }) => id)).toEqual(["s"]);
  const onNode = { ...task("b", ""), networks: [] };
  const hostPorts = [{ protocol: "tcp", targetPort: 8000, publishedPort: 8000 }];
  watch.saw(answer({ ...onNode, hostPorts }), 1_000);
  expect(seen("b")).toBe("routable");
  expect(watch.nameable).toEqual([]);
});

test("DNS is still asked when the last listed task drains, because it may list the unhealthy one again", () => {
  const { watch, seen } = watched();
  watch.saw(answer(task("a", "10.0.0.1"), task("b", "10.0.0.2")), 0);
  watch.sawNames("s", ["10.0.0.1", "10.0.0.2"], 100);
  watch.sawNames("s", ["10.0.0.2"], 600);
  watch.saw(answer(task("a", "10.0.0.1"), task("b", "10.0.0.2", "shutdown")), 1_000);
  expect([seen("a"), seen("b")]).toEqual(["not healthy", "stopping"]);
  expect(watch.nameable.map(({ id }) => id)).toEqual(["s"]);
});
