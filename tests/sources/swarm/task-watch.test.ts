import { describe, expect, test } from "bun:test";
import type { Service, SwarmTask } from "../../../src/engine/swarm.ts";
import type { Sighting, SightingListener } from "../../../src/sources/sighting.ts";
import type { OwnView, Surroundings } from "../../../src/sources/swarm/observe.ts";
import { TaskWatch } from "../../../src/sources/swarm/task-watch.ts";
import { aNetwork, aService, aTask } from "../../support/engine/swarm-parts.ts";

const FINE: OwnView = {
  ...{ hasHealthcheck: true, isStopping: false, isOver: false, trouble: undefined },
};

/** A watch and its reports: the tasks that are gone, and the sightings of the others. */
function rig() {
  const [told, admitted, own] = [[] as string[], new Set<string>(), new Map<string, OwnView>()];
  let rank = 0;
  let around: Surroundings = {
    whereabouts: { networks: [aNetwork()], isOnHost: false },
    itself: {
      ...{ container: undefined, program: "", addresses: [] },
      listening: { host: undefined, port: 1 },
    },
    ...{ nodes: new Map(), ownServiceId: undefined },
  };
  const listener: SightingListener = {
    nextRank: () => ++rank,
    met: () => undefined,
    saw: (sighting) => void told.push(`${sighting.server.id} ${seenOf(sighting)}`),
    over: () => undefined,
    couldNotSee: () => undefined,
    takesRequests: ({ id }) => admitted.has(id),
    gone: ({ id }) => void told.push(`${id} gone`),
    passed: () => true,
  };
  let asked = 0;
  const watch = new TaskWatch({
    listener,
    around: () => around,
    ownView: ({ id }) => {
      asked += 1;
      return own.get(id);
    },
  });
  /** The reports after an answer or another event. */
  const during = (act: () => void): readonly string[] => {
    told.length = 0;
    act();
    return [...told];
  };
  let nowMs = 0;
  const saw = (services: readonly Service[], tasks: readonly SwarmTask[], atMs = ++nowMs) =>
    during(() => watch.saw({ services, tasks }, atMs));
  const surround = (part: Partial<Surroundings>): void => {
    around = { ...around, ...part };
  };
  return { watch, saw, during, admitted, own, surround, asked: () => asked };
}

function seenOf(sighting: Sighting): string {
  if (sighting.kind === "present") return sighting.seen;
  return sighting.kind === "absent" ? sighting.outlook : sighting.kind;
}

const SERVICE = aService();

describe("saw()", () => {
  test("reports each sighting once", () => {
    const { saw } = rig();
    expect(saw([SERVICE], [aTask()])).toEqual(["task1 routable"]);
    expect(saw([SERVICE], [aTask()])).toEqual([]);
    expect(saw([aService()], [aTask({ message: "still started" })])).toEqual([]);
    expect(saw([SERVICE], [aTask({ desiredState: "shutdown" })])).toEqual(["task1 stopping"]);
    const ended = aTask({ desiredState: "shutdown", state: "shutdown" });
    expect(saw([SERVICE], [ended])).toEqual(["task1 was stopped", "task1 gone"]);
    expect(saw([SERVICE], [ended])).toEqual([]);
    expect(saw([SERVICE], [])).toEqual([]);
  });

  test("reports changed labels, although nothing else has changed", () => {
    const { saw } = rig();
    saw([SERVICE], [aTask()]);
    const named = aService({ labels: { ...SERVICE.labels, "inference.models": "a,b" } });
    expect(saw([named], [aTask()])).toEqual(["task1 routable"]);
    expect(saw([named], [aTask()])).toEqual([]);
  });

  test("does nothing if lists and surroundings are the same", () => {
    const { saw, surround, asked } = rig();
    const [services, tasks] = [[SERVICE], [aTask()]];
    saw(services, tasks);
    const before = asked();
    saw(services, tasks);
    surround({ whereabouts: { networks: [aNetwork()], isOnHost: false } }); // the same as earlier
    saw(services, tasks);
    expect(asked()).toBe(before);
    surround({ whereabouts: { networks: [], isOnHost: false } });
    expect(saw(services, tasks)).toEqual(["task1 ignored"]);
    surround({ ownServiceId: SERVICE.id });
    expect(saw(services, tasks)).toEqual(["task1 ignored"]); // ignored for a new reason
  });

  test("a task that is no longer listed is gone, and is new if it comes back", () => {
    const { saw } = rig();
    saw([SERVICE], [aTask()]);
    expect(saw([SERVICE], [])).toEqual(["task1 gone", "task1 gone"]);
    expect(saw([SERVICE], [aTask()])).toEqual(["task1 routable"]);
  });

  test("reports new tasks before ended ones, so that the fleet expects their models without a gap", () => {
    const { saw } = rig();
    saw([SERVICE], [aTask()]);
    const next = aTask({ id: "task2", state: "preparing" });
    const ended = aTask({ desiredState: "shutdown", state: "shutdown" });
    expect(saw([SERVICE], [ended, next])).toEqual([
      "task2 starts again",
      "task1 was stopped",
      "task1 gone",
    ]);
  });

  test("uses the last entry of a task that is listed twice, even in two services", () => {
    const { saw } = rig();
    const other = aService({ id: "svc2", labels: {} });
    const twice = [aTask({ desiredState: "shutdown" }), aTask()];
    expect(saw([SERVICE, other], twice)).toEqual(["task1 routable"]);
    const moved = [aTask(), aTask({ serviceId: "svc2" })];
    expect(saw([SERVICE, other], moved)).toEqual(["task1 stopping", "task1 gone"]);
  });

  test("a removed label: leaves the task in any state, and knows it again when the label is back", () => {
    const { saw } = rig();
    const off = aService({ labels: {} });
    saw([SERVICE], [aTask(), aTask({ id: "task2", state: "pending" })]);
    expect(saw([off], [aTask(), aTask({ id: "task2", state: "pending" })])).toEqual([
      "task1 stopping",
      "task1 gone",
      "task2 gone",
    ]);
    expect(saw([off], [aTask()])).toEqual([]);
    expect(saw([SERVICE], [aTask()])).toEqual(["task1 routable"]);
  });

  test("inference.enable=false: requests in flight may finish, and the next answer shows the task as disabled", () => {
    const { saw } = rig();
    saw([SERVICE], [aTask()]);
    const [services, tasks] = [[aService({ labels: { "inference.enable": "false" } })], [aTask()]];
    expect(saw(services, tasks)).toEqual(["task1 stopping", "task1 gone"]);
    expect(saw(services, tasks)).toEqual(["task1 gone"]); // its outlook: it does not come back
    expect(saw(services, tasks)).toEqual([]);
  });
});

describe("start-first", () => {
  const old = aTask({ desiredState: "shutdown" });

  test("the old task continues until a new one takes requests, for 1 s at most", () => {
    const { watch, saw, during, admitted } = rig();
    saw([SERVICE], [aTask()]);
    admitted.add("task1");
    expect(saw([SERVICE], [old, aTask({ id: "task2" })], 1_000)).toEqual(["task2 routable"]);
    expect(during(() => expect(watch.due(1_500)).toBe(25))).toEqual([]);
    admitted.add("task2");
    expect(during(() => expect(watch.due(1_525)).toBeUndefined())).toEqual(["task1 stopping"]);
    expect(watch.due(1_550)).toBeUndefined();
  });

  test("an old task without a successor drains at once, and no task continues for more than a second", () => {
    const { watch, saw, during, admitted } = rig();
    saw([SERVICE], [aTask()]);
    admitted.add("task1");
    expect(saw([SERVICE], [old], 1_000)).toEqual(["task1 stopping"]);
    const { saw: sawOther, watch: other, during: duringOther, admitted: admits } = rig();
    sawOther([SERVICE], [aTask()]);
    admits.add("task1");
    sawOther([SERVICE], [old, aTask({ id: "task2" })], 1_000);
    expect(duringOther(() => other.due(1_999))).toEqual([]);
    expect(duringOther(() => other.due(2_000))).toEqual(["task1 stopping"]);
    expect(sawOther([SERVICE], [old, aTask({ id: "task2" })], 2_500)).toEqual([]);
    expect(during(() => watch.due(9_000))).toEqual([]);
  });

  test("a stop that our own node's engine reports is not delayed", () => {
    const { watch, saw, during, admitted, own } = rig();
    own.set("task1", FINE);
    saw([SERVICE], [aTask()]);
    admitted.add("task1");
    expect(saw([SERVICE], [old, aTask({ id: "task2" })], 1_000)).toEqual(["task2 routable"]);
    own.set("task1", { ...FINE, isStopping: true });
    expect(during(() => watch.ownChanged("task1", 1_100))).toEqual(["task1 stopping"]);
    expect(watch.due(1_125)).toBeUndefined();
  });
});

describe("our own node", () => {
  test("reports a change there at once, except for unknown and ended tasks", () => {
    const { watch, saw, during, own } = rig();
    saw([SERVICE], [aTask()]);
    own.set("task1", { ...FINE, trouble: { state: "paused", reason: "paused" } });
    expect(during(() => watch.ownChanged("task1", 1))).toEqual(["task1 not healthy"]);
    own.set("task1", { ...FINE, isOver: true });
    expect(during(() => watch.ownChanged("task1", 2))).toEqual(["task1 gone"]);
    expect(during(() => watch.ownChanged("stranger", 3))).toEqual([]);
  });

  test("learning which node is our own updates all tasks", () => {
    const { watch, saw, during, own } = rig();
    const plain = aService({ healthcheck: "not given" });
    const [first, second] = [aTask(), aTask({ id: "task2", nodeId: "node2" })];
    for (const id of ["task1", "task2"]) own.set(id, { ...FINE, hasHealthcheck: undefined });
    expect(saw([plain], [first, second])).toEqual(["task1 starting", "task2 starting"]);
    own.clear();
    expect(during(() => watch.nodeFound(1))).toEqual(["task1 routable", "task2 routable"]);
  });
});

test("left() drains and forgets all tasks; the same answer shows all again", () => {
  const { watch, saw, during } = rig();
  const [services, tasks] = [[SERVICE], [aTask(), aTask({ id: "task2", state: "pending" })]];
  saw(services, tasks);
  expect(during(() => watch.left())).toEqual(["task1 stopping", "task1 gone", "task2 gone"]);
  expect([watch.services, watch.tasks, watch.nameable]).toEqual([[], [], []]);
  expect(during(() => watch.sawNames(SERVICE.id, ["10.0.1.5"], 1))).toEqual([]);
  expect(saw(services, tasks)).toEqual(["task1 routable", "task2 starts again"]);
  expect(watch.nameable).toMatchObject([{ id: SERVICE.id, name: "llm" }]);
});

test("judges 5,000 tasks of one service, half of which must stop, in a moment", () => {
  const { watch, saw, admitted } = rig();
  const ids = Array.from({ length: 5_000 }, (_, n) => `t${n}`);
  const all = (is: (n: number) => Partial<SwarmTask>) =>
    ids.map((id, n) => aTask({ id, slot: n + 1, ...is(n) }));
  saw(
    [SERVICE],
    all((n) => (n < 2_500 ? {} : { state: "starting" })),
  );
  for (const id of ids.slice(0, 2_500)) admitted.add(id);
  const beganMs = performance.now();
  saw(
    [SERVICE],
    all((n) => (n < 2_500 ? { desiredState: "shutdown" } : {})),
    1_000,
  );
  for (let atMs = 1_025; atMs < 2_100; atMs += 25) watch.due(atMs);
  expect(performance.now() - beganMs).toBeLessThan(2_000); // comparing each task with each other takes a minute
});
