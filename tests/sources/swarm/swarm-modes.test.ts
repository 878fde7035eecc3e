/** The swarm source with an engine that is a manager, is not one, or changes its role. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm, LABELLED } from "../../support/engine/fake-swarm.ts";
import type { SwarmMode } from "../../support/engine/swarm-refusals.ts";
import { swarmEvent, taskLabels } from "../../support/engine/swarm-shapes.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import {
  leaseFrom,
  nextReads,
  type SwarmRig,
  startSwarm,
  stateOfTask,
  untilTask,
} from "../../support/proxy/swarm.ts";
import { expectNever, until } from "../../support/until.ts";

/** An engine in a swarm, with a task on its own node whose container has labels too, and a task on another node. */
async function node() {
  const [engine, swarm] = [await new FakeEngine().start(), new FakeSwarm()];
  engine.swarm = swarm;
  const service = swarm.addService({ replicas: 2 });
  const here = startModelServer("m");
  const there = startModelServer("m");
  const own = swarm.addTask(service, { port: here.port });
  const remote = swarm.addTask(service, {
    ...{ port: there.port, slot: 2, nodeId: swarm.addNode().id },
  });
  const labels = { ...LABELLED, "inference.port": String(here.port), ...taskLabels(own, "vllm") };
  const container = engine.add({ id: own.containerId, name: `vllm.1.${own.id}`, labels });
  const end = (): void => {
    for (const one of [engine, here, there]) one[Symbol.dispose]();
  };
  return { engine, swarm, service, own, remote, container, [Symbol.dispose]: end };
}

function sources(rig: SwarmRig): readonly string[] {
  return [...rig.table.backends]
    .filter(({ state }) => state === "active")
    .map(({ run }) => run.source)
    .sort();
}

const asked = (engine: FakeEngine, path: string): number =>
  engine.requests.filter((one) => one.endsWith(path)).length;

describe("an engine that is not a manager", () => {
  test("is asked once when its event stream opens, and its own tasks stay containers", async () => {
    using world = await node();
    const { engine, swarm, container } = world;
    swarm.mode = "worker";
    using rig = startSwarm(engine);
    await untilTask(rig, container, "routed");
    await until("the proxy is ready", () => rig.fleet.isReady);
    await expectNever("it is asked again", () => asked(engine, "/services") !== 1, 100);
    expect([asked(engine, "/tasks"), asked(engine, "/nodes")]).toEqual([0, 0]);
    expect([sources(rig), rig.swarm.status]).toEqual([["docker"], null]);
    engine.cutStreams();
    await until("it is asked once more", () => asked(engine, "/services") === 2);
    await expectNever("it is asked again", () => asked(engine, "/services") > 2, 100);
    expect(rig.log.count("swarm")).toBe(0);
  });

  test("is asked again from time to time", async () => {
    using engine = await new FakeEngine().start();
    using _rig = startSwarm(engine, { times: { askMs: 30 } });
    await until("it was asked three times", () => asked(engine, "/services") >= 3);
    expect(asked(engine, "/tasks")).toBe(0);
  });

  test("becomes a manager: its node event makes the proxy follow tasks at once", async () => {
    using world = await node();
    const { engine, swarm, own, remote } = world;
    swarm.mode = "no swarm";
    using rig = startSwarm(engine);
    await until("its container is routed", () => sources(rig).length === 1);
    swarm.mode = "manager";
    engine.emitLine(swarmEvent("node", "create", own.nodeId));
    await untilTask(rig, remote, "routed");
    await until("the container is left to the swarm", () => sources(rig).join() === "swarm,swarm");
    expect(rig.members().map(({ id }) => id)).toEqual([own.id, remote.id]);
  });
});

describe("a socket proxy that forbids the swarm's paths", () => {
  test("only containers; with a container of a task the status says what to allow", async () => {
    using world = await node();
    const { engine, swarm, container } = world;
    swarm.mode = "forbidden";
    using rig = startSwarm(engine);
    await untilTask(rig, container, "routed");
    await until("the status says so", () => rig.swarm.status !== null);
    expect(rig.swarm.status).toMatchObject({ state: "forbidden", services: [] });
    expect(rig.swarm.status?.reason).toContain("SERVICES=1 TASKS=1 NODES=1");
    expect(rig.log.count("SERVICES=1 TASKS=1 NODES=1")).toBe(1);
  });

  test("without a container of a task there is no report", async () => {
    using engine = await new FakeEngine().start();
    using server = startModelServer("m");
    engine.swarm = new FakeSwarm();
    engine.swarm.mode = "forbidden";
    engine.add({ port: server.port });
    using rig = startSwarm(engine);
    await until("it is routed", () => rig.table.find("m").kind === "live");
    await until("the proxy is ready", () => rig.fleet.isReady);
    expect([rig.swarm.status, rig.log.count("socket proxy")]).toEqual([null, 0]);
  });

  test.each<[path: string]>([["/tasks"], ["/services"]])(
    "%s alone has the same effect",
    async (path) => {
      using world = await node();
      const { engine, swarm } = world;
      swarm.modeOf.set(path, "forbidden");
      using rig = startSwarm(engine);
      await until("the status says so", () => rig.swarm.status?.state === "forbidden");
      await until("its container is routed", () => sources(rig).join() === "docker");
    },
  );

  test("without /nodes: tasks at their nodes' addresses can't be reached, and the status says why", async () => {
    using world = await node();
    const { engine, swarm, own } = world;
    swarm.modeOf.set("/nodes", "forbidden");
    using rig = startSwarm(engine);
    await untilTask(rig, own, "ignored");
    expect(rig.service()?.reason).toContain("NODES=1");
    await nextReads(engine, 4);
    expect(asked(engine, "/nodes")).toBe(1); // not at each poll
    swarm.modeOf.clear();
    engine.emitLine(swarmEvent("node", "update", own.nodeId));
    await untilTask(rig, own, "routed");
  });
});

describe("a manager", () => {
  test.each<SwarmMode>(["being prepared", "locked", "deadline", "no leader", "hang"])(
    "that is %s: keeps the known tasks and their requests, and asks again",
    async (mode) => {
      using world = await node();
      const { engine, swarm, own, remote } = world;
      using rig = startSwarm(engine, { callTimeoutMs: 150 });
      for (const task of [own, remote]) await untilTask(rig, task, "routed");
      const lease = leaseFrom(rig);
      swarm.mode = mode;
      await until("the status says so", () => rig.swarm.status?.state === "lost");
      const before = asked(engine, "/services");
      swarm.tasks.clear(); // the answer that it would give
      await until("it is asked again", () => asked(engine, "/services") > before);
      expect([stateOfTask(rig, own), stateOfTask(rig, remote)]).toEqual(["routed", "routed"]);
      expect([lease.isClosed(), rig.swarm.isFollowing()]).toEqual([false, false]);
      expect(rig.service()).toMatchObject({ routed: 2 });
      swarm.mode = "manager";
      await untilTask(rig, own, undefined);
      expect(rig.swarm.status).toMatchObject({ state: "followed", reason: null });
      expect(rig.log.count("swarm lost")).toBe(1);
    },
  );

  test("that starts together with the proxy: its own tasks are containers first, and then handed over", async () => {
    using world = await node();
    const { engine, swarm, own, remote, container } = world;
    swarm.mode = "being prepared";
    using rig = startSwarm(engine);
    await untilTask(rig, container, "routed");
    const lease = leaseFrom(rig);
    swarm.mode = "manager";
    await untilTask(rig, own, "routed");
    await untilTask(rig, remote, "routed");
    await until("containers are left to the swarm", () => sources(rig).join() === "swarm,swarm");
    expect(lease.isClosed()).toBe(false);
    lease.end();
  });

  test("that is demoted and promoted again: each task of its node always has a backend", async () => {
    using world = await node();
    const { engine, swarm, own, remote, container } = world;
    using rig = startSwarm(engine);
    for (const task of [own, remote]) await untilTask(rig, task, "routed");
    expect(rig.members().map(({ id }) => id)).toEqual([own.id, remote.id]);
    const lease = leaseFrom(rig);
    let gaps = 0;
    const watching = setInterval(() => {
      if (rig.table.find("m").kind !== "live") gaps += 1;
    }, 1);
    swarm.mode = "worker";
    await untilTask(rig, container, "routed");
    await untilTask(rig, remote, undefined);
    expect([lease.isClosed(), rig.swarm.status]).toEqual([false, null]);
    expect(sources(rig)).toEqual(["docker"]);
    swarm.mode = "manager";
    engine.emitLine(swarmEvent("node", "update", own.nodeId));
    await untilTask(rig, remote, "routed");
    await until("containers are left to the swarm", () => sources(rig).join() === "swarm,swarm");
    clearInterval(watching);
    expect([gaps, lease.isClosed()]).toEqual([0, false]);
    lease.end();
  });

  test("that is demoted for a moment loses no task of other nodes", async () => {
    using world = await node();
    const { engine, swarm, own, remote } = world;
    using rig = startSwarm(engine);
    for (const task of [own, remote]) await untilTask(rig, task, "routed");
    swarm.mode = "worker";
    await until("the status says so", () => rig.swarm.status === null);
    swarm.mode = "manager";
    engine.emitLine(swarmEvent("node", "update", own.nodeId));
    await until("it is followed again", () => rig.swarm.status?.state === "followed");
    await expectNever("a task is lost", () => stateOfTask(rig, remote) !== "routed", 1_200);
    expect(sources(rig)).toEqual(["swarm", "swarm"]);
  });

  test("a bug in the first read does not stop the routing of containers", async () => {
    using engine = await new FakeEngine().start();
    using server = startModelServer("m");
    engine.add({ port: server.port });
    const broken = (): never => {
      throw new TypeError("ours");
    };
    using rig = startSwarm(engine, { engine: { services: broken } });
    await until("it is routed", () => rig.table.find("m").kind === "live");
    expect(rig.log.count("internal error")).toBe(1);
  });
});
