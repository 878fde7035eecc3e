import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm, LABELLED } from "../../support/engine/fake-swarm.ts";
import { type FakeService, type FakeTask, swarmEvent } from "../../support/engine/swarm-shapes.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import {
  leaseFrom,
  nextReads,
  startSwarm,
  stateOfTask,
  untilTask,
} from "../../support/proxy/swarm.ts";
import { expectNever, until } from "../../support/until.ts";

/** An engine that is a manager, with a service of one task. */
async function manager(port: number): Promise<{
  readonly engine: FakeEngine;
  readonly swarm: FakeSwarm;
  readonly service: FakeService;
  readonly task: FakeTask;
}> {
  const [engine, swarm] = [await new FakeEngine().start(), new FakeSwarm()];
  engine.swarm = swarm;
  const service = swarm.addService();
  return { engine, swarm, service, task: swarm.addTask(service, { port }) };
}

describe("A task", () => {
  test("is a run with a name, an address and models, and is routed when its models are read", async () => {
    using server = startModelServer("m");
    const { engine, task } = await manager(server.port);
    using _engine = engine;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    expect(rig.members()).toMatchObject([{ id: task.id, name: "vllm.1", models: ["m"] }]);
    const route = rig.table.route("m");
    if (route.kind !== "routed") throw new Error(route.kind);
    const { run, origin } = route.lease.backend;
    expect(run).toEqual({ source: "swarm", id: task.id, startedAtMs: task.createdAtMs });
    expect(origin).toBe(`http://127.0.0.1:${server.port}`);
    expect(rig.log.count("swarm followed")).toBe(1);
  });

  test("that is told to stop drains while it still runs, and requests in flight may finish", async () => {
    using server = startModelServer("m");
    const { engine, swarm, task } = await manager(server.port);
    using _engine = engine;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    const lease = leaseFrom(rig);
    task.desiredState = "shutdown";
    await untilTask(rig, task, "stopping");
    expect(rig.table.route("m").kind).toBe("draining");
    await nextReads(engine);
    expect(lease.isClosed()).toBe(false);
    task.state = "shutdown";
    await untilTask(rig, task, undefined);
    expect(lease.isClosed()).toBe(true);
    swarm.tasks.delete(task.id);
    await nextReads(engine);
    expect(rig.table.route("m").kind).not.toBe("routed");
  });

  test("with start-first: the old task continues until the new one's models are read, then it drains", async () => {
    using first = startModelServer("m");
    using second = startModelServer("m");
    const { engine, swarm, service, task } = await manager(first.port);
    using _engine = engine;
    const networks = [{ id: "net1", name: "inf", addresses: ["10.0.1.5/24"] }]; // without a network its stop comes sooner
    task.networks = networks;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    const list = Promise.withResolvers<Response>();
    second.answer = () => list.promise;
    const successor = swarm.addTask(service, { port: second.port, networks });
    task.desiredState = "shutdown";
    await until("the new one is asked for its models", () => second.reads() > 0);
    await nextReads(engine, 3);
    const origin = (): string | undefined => {
      const route = rig.table.route("m");
      if (route.kind === "routed") route.lease.end();
      return route.kind === "routed" ? route.lease.backend.origin : undefined;
    };
    expect(origin()).toEndWith(`:${first.port}`);
    list.resolve(Response.json({ data: [{ id: "m" }] }));
    await untilTask(rig, successor, "routed");
    await untilTask(rig, task, "stopping");
    expect(origin()).toEndWith(`:${second.port}`);
  });

  test("shares requests with tasks of the same service, not of another service", async () => {
    using first = startModelServer("m");
    using second = startModelServer("m");
    using other = startModelServer("m");
    const { engine, swarm, service, task } = await manager(first.port);
    using _engine = engine;
    const replica = swarm.addTask(service, { port: second.port, slot: 2 });
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    await untilTask(rig, replica, "routed");
    const origins = new Set<string>();
    for (let n = 0; n < 2; n += 1) {
      const route = rig.table.route("m");
      if (route.kind === "routed") origins.add(new URL(route.lease.backend.origin).port);
    }
    expect(origins).toEqual(new Set([String(first.port), String(second.port)]));
    expect(rig.log.count("warn")).toBe(0);
    const newest = swarm.addTask(swarm.addService({ name: "other" }), { port: other.port });
    await untilTask(rig, newest, "routed");
    const route = rig.table.route("m");
    if (route.kind !== "routed") throw new Error(route.kind);
    expect(route.lease.backend.origin).toEndWith(`:${other.port}`);
  });

  test("of a removed service drains with its old settings", async () => {
    using server = startModelServer("m");
    const { engine, swarm, service, task } = await manager(server.port);
    using _engine = engine;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    swarm.services.delete(service.id);
    await nextReads(engine);
    expect(stateOfTask(rig, task)).toBe("routed"); // the missing service alone changes nothing
    task.desiredState = "remove";
    await untilTask(rig, task, "stopping");
    swarm.tasks.delete(task.id);
    await untilTask(rig, task, undefined);
  });

  test("that ended long ago, or whose node is down, is never routed, whatever server has its address now", async () => {
    using server = startModelServer("m");
    const { engine, swarm, service, task } = await manager(server.port);
    using _engine = engine;
    const ended = swarm.addTask(service, {
      ...{ port: server.port, state: "shutdown", desiredState: "shutdown" },
      createdAtMs: task.createdAtMs - 60_000,
    });
    const dead = swarm.addNode({ state: "down" });
    const ghost = swarm.addTask(service, {
      ...{ port: server.port, nodeId: dead.id, desiredState: "shutdown", slot: 2 },
    });
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    await nextReads(engine, 3);
    expect([stateOfTask(rig, ended), stateOfTask(rig, ghost)]).toEqual([undefined, undefined]);
    expect([...rig.table.backends].map(({ run }) => run.id)).toEqual([task.id]);
  });

  test("of a job, of no service, of a service that is not listed yet, or of a service without a label is not ours", async () => {
    using server = startModelServer("m");
    const { engine, swarm, task } = await manager(server.port);
    using _engine = engine;
    for (const mode of ["replicated job", "global job"] as const) {
      const job = swarm.addService({ name: mode, mode });
      swarm.addTask(job, { port: server.port, desiredState: "complete" });
      swarm.addTask(job, { port: server.port });
    }
    swarm.addTask({ id: "" }, { port: server.port });
    swarm.addTask({ id: "not-yet" }, { port: server.port });
    swarm.addTask(swarm.addService({ labels: {} }), { port: server.port });
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    await nextReads(engine, 3);
    expect(rig.members().map(({ id }) => id)).toEqual([task.id]);
  });

  test("of a global service has the name of its node", async () => {
    using server = startModelServer("m");
    const { engine, swarm } = await manager(server.port);
    using _engine = engine;
    const [gpu, unnamed] = [swarm.addNode({ hostname: "gpu-7" }), swarm.addNode({ hostname: "" })];
    const service = swarm.addService({ name: "embed", mode: "global" });
    const tasks = [gpu, unnamed].map(({ id }) =>
      swarm.addTask(service, { slot: 0, nodeId: id, port: server.port }),
    );
    using rig = startSwarm(engine);
    for (const task of tasks) await untilTask(rig, task, "routed");
    const names = tasks.map((task) => rig.members().find(({ id }) => id === task.id)?.name);
    expect(names).toEqual(["embed.gpu-7", `embed.${unnamed.id}`]);
    expect(rig.service("embed")).toMatchObject({ replicas: null, routed: 2 });
  });
});

describe("Labels of a service that stays", () => {
  test.each<[what: string, labels: Readonly<Record<string, string>>]>([
    ["are all removed", {}],
    ["are all removed, and others stay", { "com.docker.stack.namespace": "ai" }],
    ["disable it", { "inference.enable": "false" }],
  ])(
    "%s: its models go, requests in flight finish, and it comes back at once",
    async (_what, labels) => {
      using server = startModelServer("m");
      const { engine, service, task } = await manager(server.port);
      using _engine = engine;
      using rig = startSwarm(engine);
      await untilTask(rig, task, "routed");
      const lease = leaseFrom(rig);
      service.labels = labels;
      await until("its models are gone", () => rig.table.route("m").kind !== "routed");
      await nextReads(engine, 3);
      expect(lease.isClosed()).toBe(false);
      service.labels = LABELLED;
      engine.emitLine(swarmEvent("service", "update", service.id));
      await until("it is routed again", () => rig.table.find("m").kind === "live");
      expect(lease.isClosed()).toBe(false);
      lease.end();
      await nextReads(engine);
      expect(rig.table.find("m").kind).toBe("live");
    },
  );

  test("come from its containers if the service has no label of its own", async () => {
    using server = startModelServer("m");
    const { engine, service, task } = await manager(server.port);
    using _engine = engine;
    service.labels = { "com.docker.stack.namespace": "ai" };
    service.containerLabels = LABELLED;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    service.labels = { "inference.enable": "false" };
    await until("its own label wins", () => rig.table.find("m").kind !== "live");
  });
});

test("a request never causes a read", async () => {
  using server = startModelServer("m");
  const { engine, task } = await manager(server.port);
  using _engine = engine;
  using rig = startSwarm(engine, { times: { pollMs: 60_000 } });
  await untilTask(rig, task, "routed");
  const before = engine.requests.length;
  for (let n = 0; n < 100; n += 1) rig.table.route(n % 2 === 0 ? "m" : "unknown");
  await rig.fleet.refreshModels();
  await expectNever("the engine is asked", () => engine.requests.length > before, 100);
});
