import { expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm, LABELLED } from "../../support/engine/fake-swarm.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { nextReads, startSwarm, untilTask } from "../../support/proxy/swarm.ts";
import { expectNever, until } from "../../support/until.ts";

const JSON_TYPE = { contentType: "application/json" };
const HTML = { contentType: "text/html" };

test("looks at containers after a second if the engine does not answer about services", async () => {
  using server = startModelServer("m");
  using engine = await new FakeEngine().start();
  const never = Promise.withResolvers<undefined>();
  engine.intercept = (path) => (path.includes("/services") ? never.promise : undefined);
  engine.add({ port: server.port });
  using rig = startSwarm(engine, { times: { decideMs: 50 } });
  await until("it is routed", () => rig.table.route("m").kind === "routed", 3_000);
  never.resolve(undefined);
});

test("a late answer shows a manager: the container source lets go of a task's container a second later", async () => {
  using server = startModelServer("m");
  using engine = await new FakeEngine().start();
  const swarm = new FakeSwarm();
  engine.swarm = swarm;
  const task = swarm.addTask(swarm.addService(), { port: server.port });
  const labels = { ...LABELLED, "inference.port": String(server.port) };
  engine.add({ labels: { ...labels, "com.docker.swarm.task.id": task.id } });
  const held = Promise.withResolvers<undefined>();
  engine.intercept = (path) => (path.includes("/services") ? held.promise : undefined);
  using rig = startSwarm(engine, { times: { decideMs: 50 } });
  const sources = (): readonly string[] => [...rig.table.backends].map(({ run }) => run.source);
  await until("its container is routed", () => sources().includes("docker"), 3_000);
  held.resolve(undefined);
  await until("the task is routed too", () => sources().includes("swarm"), 3_000);
  expect(sources()).toContain("docker"); // until the task has had time to take over
  await until("only the task is routed", () => !sources().includes("docker"), 3_000);
});

test("a replayed old event of a task's container at the start does not make the proxy route that container", async () => {
  using server = startModelServer("m");
  using engine = await new FakeEngine().start();
  const swarm = new FakeSwarm();
  engine.swarm = swarm;
  const task = swarm.addTask(swarm.addService(), { port: server.port });
  const labels = { ...LABELLED, "inference.port": String(server.port) };
  const container = engine.add({ labels: { ...labels, "com.docker.swarm.task.id": task.id } });
  engine.emit(container, "start");
  const held = Promise.withResolvers<undefined>();
  engine.intercept = (path) => (path.includes("/services") ? held.promise : undefined);
  using rig = startSwarm(engine);
  await until("the event has come", () => engine.requests.some((path) => path.includes("/events")));
  await Bun.sleep(50);
  held.resolve(undefined);
  await untilTask(rig, task, "routed");
  await nextReads(engine, 3);
  const inspects = engine.requests.filter((path) => path.includes(`/${container.id}/json`));
  expect(inspects).toEqual([]); // no source has looked at it
  expect(rig.members().map(({ id }) => id)).toEqual([task.id]);
});

test.each([
  ["a page of something else", { status: 200, body: "<html>", ...HTML }],
  ["JSON of another form", { status: 200, body: '{"message":"ok"}', ...JSON_TYPE }],
  ["400 in JSON", { status: 400, body: '{"message":"bad request"}', ...JSON_TYPE }],
  ["401 of a proxy", { status: 401, body: "<html>", ...HTML }],
  ["405 of the engine", { status: 405, body: '{"message":"no"}', ...JSON_TYPE }],
])(
  "an engine that answers %s has no swarm: it is not asked each second, and the proxy is ready at once",
  async (_why, answer) => {
    using server = startModelServer("m");
    using engine = await new FakeEngine().start();
    engine.intercept = (path) => (path.includes("/services") ? answer : undefined);
    engine.add({ port: server.port });
    using rig = startSwarm(engine);
    await until("it is ready", () => rig.fleet.isReady, 3_000);
    const asked = (): number => engine.requests.filter((path) => path.includes("/services")).length;
    await expectNever("it is asked again", () => asked() > 1, 1_300);
    expect(rig.swarm.status).toBeNull();
  },
);
