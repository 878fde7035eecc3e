/** How often the swarm source reads, and what it does with late answers. */
import { expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm } from "../../support/engine/fake-swarm.ts";
import { swarmEvent } from "../../support/engine/swarm-shapes.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { startSwarm, untilTask } from "../../support/proxy/swarm.ts";
import { expectNever, until } from "../../support/until.ts";

/** A manager with one task, and the times at which services were asked for, ms. */
async function manager(port: number) {
  const [engine, swarm] = [await new FakeEngine().start(), new FakeSwarm()];
  engine.swarm = swarm;
  const service = swarm.addService();
  const task = swarm.addTask(service, { port });
  const atMs: number[] = [];
  engine.intercept = (path) => {
    if (path.endsWith("/services")) atMs.push(performance.now());
    return undefined;
  };
  const apartMs = (): readonly number[] => atMs.slice(1).map((ms, n) => ms - (atMs[n] ?? 0));
  return { engine, swarm, service, task, atMs, apartMs };
}

test("reads every half second", async () => {
  using server = startModelServer("m");
  const { engine, atMs, apartMs } = await manager(server.port);
  using _engine = engine;
  using _rig = startSwarm(engine, { times: { pollMs: 500 } });
  await until("it has read a few times", () => atMs.length >= 6, 8_000);
  expect(Math.min(...apartMs().slice(1))).toBeWithin(490, 530); // a busy machine only makes it longer
});

test("slow reads are up to a second apart, not more", async () => {
  using server = startModelServer("m");
  const { engine, atMs, apartMs } = await manager(server.port);
  using _engine = engine;
  engine.holdBack = async (path) => {
    if (path === "/tasks") await Bun.sleep(60); // 5 % of a second are 50 ms
  };
  using _rig = startSwarm(engine, { times: { pollMs: 500 } });
  await until("it has read a few times", () => atMs.length >= 5, 8_000);
  expect(Math.min(...apartMs().slice(1))).toBeWithin(990, 1_040);
});

test("an event of a service or a node causes a read at once; a burst causes reads 50 ms apart", async () => {
  using server = startModelServer("m");
  const { engine, swarm, service, task, atMs, apartMs } = await manager(server.port);
  using _engine = engine;
  using rig = startSwarm(engine, { times: { pollMs: 60_000 } });
  await untilTask(rig, task, "routed");
  task.desiredState = "shutdown";
  engine.emitLine(swarmEvent("service", "update", service.id));
  await untilTask(rig, task, "stopping");
  const successor = swarm.addTask(service, { port: server.port });
  engine.emitLine(swarmEvent("node", "update", task.nodeId));
  await untilTask(rig, successor, "routed");
  const before = atMs.length;
  const endMs = performance.now() + 400;
  await until("a burst is over", () => {
    for (let n = 0; n < 20; n += 1) engine.emitLine(swarmEvent("service", "update", service.id));
    return performance.now() > endMs;
  });
  const inBurst = apartMs().slice(before);
  expect(inBurst.length).toBeWithin(2, 10);
  for (const ms of inBurst) expect(ms).toBeGreaterThan(40);
});

test("an event during a read causes another read", async () => {
  using server = startModelServer("m");
  const { engine, service, task, atMs } = await manager(server.port);
  using _engine = engine;
  const answer = Promise.withResolvers<void>();
  engine.holdBack = (path) => (path === "/tasks" ? answer.promise : undefined);
  using rig = startSwarm(engine, { times: { pollMs: 60_000 } });
  await until("the tasks are asked for", () =>
    engine.requests.some((one) => one.endsWith("/tasks")),
  );
  task.desiredState = "shutdown"; // after the answer was made
  engine.emitLine(swarmEvent("service", "update", service.id));
  await Bun.sleep(20);
  answer.resolve();
  await until("it reads again", () => atMs.length === 2);
  await until("the task is known to stop", () => rig.members()[0]?.state === "stopping");
});

test("does not ask a manager that never finishes its answer twice at once", async () => {
  using server = startModelServer("m");
  const { engine, service, task, atMs } = await manager(server.port);
  using _engine = engine;
  using rig = startSwarm(engine, { times: { pollMs: 20 } });
  await untilTask(rig, task, "routed");
  const held = Promise.withResolvers<void>();
  engine.holdBack = (path) => (path === "/services" ? held.promise : undefined);
  const before = atMs.length;
  await until("it is asked", () => atMs.length > before);
  const during = atMs.length;
  for (let n = 0; n < 10; n += 1) engine.emitLine(swarmEvent("service", "update", service.id));
  await expectNever("it is asked again", () => atMs.length > during, 200);
  held.resolve();
  await until("it reads on", () => atMs.length > during);
});

test("reads nothing after the end", async () => {
  using server = startModelServer("m");
  const { engine, task, atMs } = await manager(server.port);
  using _engine = engine;
  const rig = startSwarm(engine);
  await untilTask(rig, task, "routed");
  rig[Symbol.dispose]();
  await Bun.sleep(50);
  const { length } = atMs;
  await expectNever("it is read", () => atMs.length > length, 100);
});
