import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { EngineError, unreachable } from "../../../src/engine/error.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import type { SwarmTask } from "../../../src/engine/swarm.ts";
import { OwnNode } from "../../../src/sources/swarm/own-node.ts";
import { BugReport } from "../../../src/telemetry/bug-report.ts";
import { inspectReplyOf } from "../../support/engine/replies.ts";
import { aTask } from "../../support/engine/swarm-parts.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { expectNever, until } from "../../support/until.ts";

const SILENT = unreachable({ kind: "unix", path: "/run/docker.sock" }, "silence");

function container(init: Partial<Container> = {}): Container {
  const ordinary = {
    ...{ id: "c", name: "llm.1", labels: {}, status: "running", health: "healthy" },
    ...{ startedAtMs: 1, ipAddress: "10.0.1.5" },
  };
  return { ...parseContainer(inspectReplyOf(ordinary)), ...init };
}

function event(kind: ContainerEvent["kind"], init: Partial<ContainerEvent> = {}): ContainerEvent {
  return {
    ...{ kind, fact: undefined, containerId: "c", timeMs: 1, signal: undefined },
    ...{ exitCode: undefined, attributes: { "com.docker.swarm.node.id": "node1" } },
    ...init,
  };
}

type Looked = Container | Error | undefined;

/** @param looked the result of a look at a container, by its id */
function rig(looked: (id: string) => Looked | Promise<Looked>, drainTimeoutMs = 60_000) {
  const [log, changed, asked] = [memoryLog(), [] as string[], [] as string[]];
  const own = new OwnNode({
    inspect: async (id) => {
      asked.push(id);
      const found = await looked(id);
      if (found instanceof Error) throw found;
      return found;
    },
    onChange: (id) => changed.push(id),
    onNode: () => changed.push("node"),
    ...{ drainTimeoutMs, bugs: new BugReport(log) },
  });
  const untilChanged = (count: number): Promise<void> =>
    until(`${count} changes are reported (${changed})`, () => changed.length >= count);
  return { own, log, changed, asked, untilChanged };
}

const ALL_UNCLEAR = (): boolean => true;
const UNCLEAR = { hasHealthcheck: undefined, isStopping: false, isOver: false, trouble: undefined };

describe("OwnNode, a task of a service without a health check", () => {
  test("is looked for, because its image may have one, and a found task is on our own node", async () => {
    const { own, asked, changed, untilChanged } = rig(() => container());
    const task = aTask();
    expect(own.view(task)).toEqual(UNCLEAR);
    own.consider([task], ALL_UNCLEAR);
    await untilChanged(2);
    expect(changed).toEqual(["node", "task1"]);
    expect(own.view(task)).toEqual({ ...UNCLEAR, hasHealthcheck: true });
    own.consider([task], ALL_UNCLEAR);
    expect(asked).toEqual([task.containerId]);
    // Now we know which node is ours: tasks on other nodes need no look.
    const remote = aTask({ id: "task2", nodeId: "node2" });
    own.consider([task, remote], ALL_UNCLEAR);
    expect([own.view(remote), asked.length]).toEqual([undefined, 1]);
  });

  test("with an unknown container is on another node, like all tasks of that node", async () => {
    const { own, changed, untilChanged } = rig(() => undefined);
    const tasks = [aTask(), aTask({ id: "task2" })];
    own.consider(tasks, ALL_UNCLEAR);
    await untilChanged(1);
    expect(tasks.map((task) => own.view(task))).toEqual([undefined, undefined]);
    expect(changed).toEqual(["node"]);
  });

  test("has no health check in its image", async () => {
    const { own, untilChanged } = rig(() => container({ health: "none" }));
    own.consider([aTask()], ALL_UNCLEAR);
    await untilChanged(2);
    expect(own.view(aTask())?.hasHealthcheck).toBe(false);
  });

  test("stays unclear until its container has started and the engine answers", async () => {
    const looks: Looked[] = [SILENT, container({ status: "created", health: "none" }), container()];
    const { own, log, asked } = rig(() => looks.shift());
    for (const isClear of [false, false, true]) {
      const { length } = asked;
      await until("it is looked for", () => {
        own.consider([aTask()], ALL_UNCLEAR);
        return asked.length > length;
      });
      await Bun.sleep(0);
      expect(own.view(aTask())?.hasHealthcheck !== undefined).toBe(isClear);
    }
    expect(log.lines).toEqual([]);
  });

  test("among thousands on unknown nodes causes one look at a time for each node", async () => {
    const answer = Promise.withResolvers<undefined>();
    const { own, asked, changed } = rig(() => answer.promise);
    const tasks: SwarmTask[] = Array.from({ length: 5_000 }, (_, n) =>
      aTask({ id: `t${n}`, nodeId: `node${n % 10}`, containerId: `c${n}` }),
    );
    for (let n = 0; n < 20; n += 1) own.consider(tasks, ALL_UNCLEAR);
    expect(asked).toHaveLength(10);
    answer.resolve(undefined);
    await until("all are known", () => changed.length === 10);
    own.consider(tasks, ALL_UNCLEAR);
    expect(asked).toHaveLength(10);
  });

  test("is not looked for before it has a container, or if its service has a health check", async () => {
    const { own, asked } = rig(() => container());
    own.consider([aTask({ containerId: "" }), aTask({ state: "pending" })], ALL_UNCLEAR);
    own.consider([aTask()], () => false);
    await expectNever("it is looked for", () => asked.length > 0, 10);
  });

  test("reports a bug in a look as a bug", async () => {
    const { own, log } = rig(() => new TypeError("ours"));
    own.consider([aTask()], ALL_UNCLEAR);
    await until("it is reported", () => log.count("internal error") === 1);
  });
});

describe("OwnNode, events of a container", () => {
  test("reports an end at once without a request", () => {
    const { own, changed, asked } = rig(() => container());
    own.onEvent(event("run over"), "task1");
    expect([own.view(aTask())?.isOver, asked]).toEqual([true, []]);
    expect(changed).toEqual(["node", "task1"]);
  });

  test.each<[what: string, signal: number | undefined, isStop: boolean]>([
    ["SIGTERM", 15, true],
    ["SIGKILL", 9, true],
    ["SIGHUP", 1, false],
    ["an unknown signal", undefined, false],
  ])("%s: says whether the task must stop", (_what, signal, isStop) => {
    const { own } = rig(() => container());
    own.onEvent(event("kill", { signal }), "task1");
    expect(own.view(aTask())?.isStopping).toBe(isStop);
  });

  test("the container's own stop signal counts once the container is known, and a hidden signal always counts", async () => {
    for (const odd of [{ stopSignal: 10 }, { signalIsHidden: true }]) {
      const { own, untilChanged } = rig(() => container(odd));
      own.consider([aTask()], ALL_UNCLEAR);
      await untilChanged(2);
      own.onEvent(event("kill", { signal: 10 }), "task1");
      expect(own.view(aTask())?.isStopping).toBe(true);
    }
  });

  test("a task that lives longer than any stop takes was not stopped", async () => {
    const { own, changed, untilChanged } = rig(() => container(), 20);
    own.onEvent(event("kill", { signal: 15 }), "task1");
    await untilChanged(3);
    expect(changed).toEqual(["node", "task1", "task1"]);
    expect(own.view(aTask())?.isStopping).toBe(false);
  });

  test("an infinite grace period does not end at once", async () => {
    const { own, changed, untilChanged } = rig(() =>
      container({ stopTimeoutMs: Number.POSITIVE_INFINITY }),
    );
    own.consider([aTask()], ALL_UNCLEAR);
    await untilChanged(2);
    own.onEvent(event("kill", { signal: 15 }), "task1");
    await expectNever("its stop lapses", () => changed.length > 3, 50);
    expect(own.view(aTask())?.isStopping).toBe(true);
  });

  test("looks after health events and pauses; a burst causes a few looks", async () => {
    let now = container({ health: "unhealthy" });
    const { own, asked, untilChanged } = rig(() => now);
    for (let n = 0; n < 100; n += 1) own.onEvent(event("changed"), "task1");
    await untilChanged(2);
    expect(own.view(aTask())?.trouble?.state).toBe("unhealthy");
    now = container({ status: "paused" });
    await until("it is looked at again", () => own.view(aTask())?.trouble?.state === "paused");
    await expectNever("it is looked at for each event", () => asked.length > 3, 60);
    now = container();
    own.onEvent(event("changed"), "task1");
    await until("it is healthy again", () => own.view(aTask())?.trouble === undefined);
  });

  test("a look that ends after the task is gone changes nothing", async () => {
    const answer = Promise.withResolvers<Container>();
    const { own, changed } = rig(() => answer.promise);
    own.onEvent(event("changed"), "task1");
    own.consider([], ALL_UNCLEAR);
    answer.resolve(container());
    await expectNever("it is reported", () => changed.includes("task1"), 10);
  });

  test("forgets tasks that are no longer listed, and their stops", async () => {
    const { own, changed } = rig(() => container(), 10);
    own.onEvent(event("kill", { signal: 15 }), "task1");
    own.consider([], ALL_UNCLEAR);
    expect(own.view(aTask())).toEqual(UNCLEAR);
    await expectNever("its stop lapses", () => changed.length > 2, 30);
  });
});

test("looks at an unhealthy task again with each answer, because its next event may be lost", async () => {
  let looked: Looked = container({ status: "paused" });
  const { own, asked } = rig(() => looked);
  own.onEvent(event("changed"), "task1");
  await until("it is paused", () => own.view(aTask())?.trouble !== undefined);
  looked = new EngineError("no answer", { kind: "unreachable" });
  own.onEvent(event("changed"), "task1"); // it continues
  await until("the look has failed", () => asked.length === 2);
  looked = container();
  own.consider([aTask()], () => false);
  await until("it continues", () => own.view(aTask())?.trouble === undefined);
  own.consider([aTask()], () => false);
  expect(asked).toHaveLength(3);
});
