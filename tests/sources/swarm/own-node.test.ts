import { describe, expect, test } from "bun:test";
import type { Container } from "../../../src/engine/container.ts";
import { EngineError } from "../../../src/engine/error.ts";
import type { ContainerEvent } from "../../../src/engine/events.ts";
import { OwnNode } from "../../../src/sources/swarm/own-node.ts";
import { BugReport } from "../../../src/telemetry/bug-report.ts";
import { CONTAINER } from "../../support/engine/container-loop.ts";
import { aTask } from "../../support/engine/swarm-parts.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { until } from "../../support/until.ts";

const LABELS = { "com.docker.swarm.node.id": "node1", "com.docker.swarm.task.id": "task1" };

function anEvent(init: Partial<ContainerEvent>): ContainerEvent {
  return {
    ...{ kind: "changed", containerId: "c1", attributes: LABELS, timeMs: 1 },
    ...{ signal: undefined, fact: undefined, exitCode: undefined },
    ...init,
  };
}

function rig(drainTimeoutMs = 60_000) {
  const made = {
    inspects: [] as string[],
    shown: CONTAINER as Container | EngineError | undefined,
    changed: [] as string[],
    nodes: 0,
  };
  const log = memoryLog();
  const ownNode = new OwnNode({
    inspect: async (id) => {
      made.inspects.push(id);
      if (made.shown instanceof EngineError) throw made.shown;
      return made.shown;
    },
    onChange: (id) => void made.changed.push(id),
    onNode: () => {
      made.nodes += 1;
    },
    ...{ drainTimeoutMs, bugs: new BugReport(log) },
  });
  return { made, ownNode };
}

describe("OwnNode", () => {
  test("of a task whose node nobody knows yet nothing is clear", () => {
    expect(rig().ownNode.view(aTask())).toEqual({
      ...{ hasHealthcheck: undefined, isStopping: false, isOver: false, trouble: undefined },
    });
  });

  test("a container that our engine knows says whether it has a health check, and which node is ours", async () => {
    const { made, ownNode } = rig();
    ownNode.consider([aTask()], () => true);
    await until("it is known", () => made.changed.length > 0);
    expect(ownNode.view(aTask())?.hasHealthcheck).toBe(true);
    expect(ownNode.view(aTask({ id: "x", nodeId: "node2" }))).toBeUndefined();
    ownNode.consider([aTask()], () => true);
    expect(made.inspects).toHaveLength(1); // once
  });

  test("one that it does not know is on another node, and so are all others there", async () => {
    const { made, ownNode } = rig();
    made.shown = undefined;
    ownNode.consider([aTask(), aTask({ id: "task2" })], () => true);
    await until("the node is known", () => made.nodes > 0);
    expect(ownNode.view(aTask({ id: "task2" }))).toBeUndefined();
    ownNode.consider([aTask(), aTask({ id: "task2" })], () => true);
    expect(made.inspects).toHaveLength(1);
  });

  test("an engine that can't tell is asked again with the next answer", async () => {
    const { made, ownNode } = rig();
    made.shown = new EngineError("no answer", { kind: "unreachable" });
    ownNode.consider([aTask()], () => true);
    await until("it was asked", () => made.inspects.length === 1);
    await Bun.sleep(0);
    expect(ownNode.view(aTask())?.hasHealthcheck).toBeUndefined();
    made.shown = { ...CONTAINER, health: "none" };
    ownNode.consider([aTask()], () => true);
    await until("it is known", () => ownNode.view(aTask())?.hasHealthcheck === false);
  });

  test("those without a container, and those whose service has a health check, are not looked at", () => {
    const { made, ownNode } = rig();
    ownNode.consider([aTask({ state: "ready" }), aTask({ id: "b", containerId: "" })], () => true);
    ownNode.consider([aTask()], () => false);
    expect(made.inspects).toEqual([]);
  });

  test("before it was started the engine does not tell of a health check", async () => {
    const { made, ownNode } = rig();
    made.shown = { ...CONTAINER, status: "created", health: "none" };
    ownNode.onEvent(anEvent({}), "task1");
    await until("it was looked at", () => made.changed.length > 0);
    expect(ownNode.view(aTask())?.hasHealthcheck).toBeUndefined();
  });

  test("one that is not healthy is looked at again with each answer: its next event may be lost", async () => {
    const { made, ownNode } = rig();
    made.shown = { ...CONTAINER, status: "paused" };
    ownNode.onEvent(anEvent({}), "task1");
    await until("it is paused", () => ownNode.view(aTask())?.trouble !== undefined);
    made.shown = new EngineError("no answer", { kind: "unreachable" });
    ownNode.onEvent(anEvent({}), "task1"); // it goes on
    await until("the look has failed", () => made.inspects.length === 2);
    made.shown = CONTAINER;
    ownNode.consider([aTask()], () => false);
    await until("it goes on", () => ownNode.view(aTask())?.trouble === undefined);
    ownNode.consider([aTask()], () => false);
    expect(made.inspects).toHaveLength(3);
  });

  test("an event leads to a look: unhealthy, paused, well again", async () => {
    const { made, ownNode } = rig();
    const troubleAfter = async (shown: Partial<Container>): Promise<string | undefined> => {
      made.shown = { ...CONTAINER, ...shown };
      const { length } = made.changed;
      ownNode.onEvent(anEvent({}), "task1");
      await until("it was looked at", () => made.changed.length > length);
      return ownNode.view(aTask())?.trouble?.state;
    };
    expect(await troubleAfter({ health: "unhealthy", hasFailedProbe: true })).toBe("unhealthy");
    expect(await troubleAfter({ status: "paused" })).toBe("paused");
    expect(await troubleAfter({})).toBeUndefined();
  });

  test("a stop signal and an end act at once; other signals do not", () => {
    const { made, ownNode } = rig();
    ownNode.onEvent(anEvent({ kind: "kill", signal: 1 }), "task1");
    expect(ownNode.view(aTask())?.isStopping).toBe(false);
    ownNode.onEvent(anEvent({ kind: "kill", signal: 15 }), "task1");
    expect(ownNode.view(aTask())?.isStopping).toBe(true);
    ownNode.onEvent(anEvent({ kind: "run over" }), "task1");
    expect(ownNode.view(aTask())?.isOver).toBe(true);
    expect(made.inspects).toEqual([]);
    expect(made.changed.at(-1)).toBe("task1");
  });

  test("who lives on for longer than any stop takes was not stopped", async () => {
    const { made, ownNode } = rig(5);
    ownNode.onEvent(anEvent({ kind: "kill", signal: 15 }), "task1");
    await until("it has lapsed", () => ownNode.view(aTask())?.isStopping === false);
    expect(made.changed.length).toBeGreaterThan(1);
  });

  test("a task that is not listed any more is forgotten", () => {
    const { ownNode } = rig();
    ownNode.onEvent(anEvent({ kind: "run over" }), "task1");
    ownNode.consider([], () => true);
    expect(ownNode.view(aTask())?.isOver).toBe(false);
  });
});
