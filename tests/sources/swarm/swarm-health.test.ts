/** The sources for the health of a task: its service, its container on our own node, and Swarm's DNS. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm } from "../../support/engine/fake-swarm.ts";
import { type FakeTask, swarmEvent, taskLabels } from "../../support/engine/swarm-shapes.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import {
  leaseFrom,
  nextReads,
  type SwarmRig,
  startSwarm,
  stateOfTask,
  untilTask,
} from "../../support/proxy/swarm.ts";
import { until } from "../../support/until.ts";

function world(engine: FakeEngine, healthcheck: readonly string[] | undefined) {
  const swarm = new FakeSwarm();
  engine.swarm = swarm;
  const service = swarm.addService({ healthcheck });
  const containerOf = (task: FakeTask, health: string | undefined) => {
    const labels = taskLabels(task, service.name);
    return engine.add({ id: task.containerId, labels, health });
  };
  return { swarm, service, containerOf };
}

function shown(rig: SwarmRig, { id }: FakeTask) {
  return rig.members().find((member) => member.id === id);
}

describe("a service without a health check in its spec", () => {
  test("on another node: the task is routed when it runs and its models are read, with a remark in the status", async () => {
    using server = startModelServer("m");
    using engine = await new FakeEngine().start();
    const { swarm, service } = world(engine, undefined);
    server.answer = () => new Response(null, { status: 503 });
    const task = swarm.addTask(service, { port: server.port, state: "starting" });
    using rig = startSwarm(engine);
    await untilTask(rig, task, "starting");
    expect(server.reads()).toBe(0);
    task.state = "running";
    await until("it is asked for its models", () => server.reads() > 1);
    expect(stateOfTask(rig, task)).not.toBe("routed");
    server.answer = () => Response.json({ data: [{ id: "m" }] });
    await untilTask(rig, task, "routed");
    expect(JSON.stringify(shown(rig, task))).toContain(
      "cannot see from here whether its image has one",
    );
  });

  test.each<[what: string, health: string | undefined, state: string]>([
    ["its image has one", "healthy", "routed"],
    ["its image has no health check", undefined, "ignored"],
  ])("on our own node the container decides: %s", async (_what, health, state) => {
    using server = startModelServer("m");
    using engine = await new FakeEngine().start();
    const { swarm, service, containerOf } = world(engine, undefined);
    const task = swarm.addTask(service, { port: server.port });
    containerOf(task, health);
    using rig = startSwarm(engine);
    await untilTask(rig, task, state);
    expect(JSON.stringify(shown(rig, task))).not.toContain("cannot see");
    if (state === "ignored") expect(JSON.stringify(shown(rig, task))).toContain("no HEALTHCHECK");
  });
});

test('["NONE"] turns the health check off: the task is ignored, and the status says what to do', async () => {
  using server = startModelServer("m");
  using engine = await new FakeEngine().start();
  const { swarm, service } = world(engine, ["NONE"]);
  const task = swarm.addTask(service, { port: server.port });
  using rig = startSwarm(engine);
  await untilTask(rig, task, "ignored");
  expect(rig.service()?.reason).toContain("turns the HEALTHCHECK off");
  expect(server.reads()).toBe(0);
});

describe("on our own node", () => {
  async function routed(server: { readonly port: number }) {
    const engine = await new FakeEngine().start();
    const { swarm, service, containerOf } = world(engine, ["CMD", "true"]);
    const task = swarm.addTask(service, { port: server.port });
    const container = containerOf(task, "healthy");
    // From now on only events bring news.
    const rig = startSwarm(engine, { times: { pollMs: 60_000 } });
    await untilTask(rig, task, "routed");
    const end = (): void => {
      rig[Symbol.dispose]();
      engine[Symbol.dispose]();
    };
    return { engine, swarm, service, task, container, rig, [Symbol.dispose]: end };
  }

  test("an unhealthy task takes no requests at once, although the manager says that it runs; a healthy one takes them again at once", async () => {
    using server = startModelServer("m");
    using on = await routed(server);
    const lease = leaseFrom(on.rig);
    on.engine.setHealth(on.container, "unhealthy");
    await untilTask(on.rig, on.task, "unhealthy");
    expect([on.rig.table.route("m").kind, lease.isClosed()]).toEqual(["draining", false]);
    on.engine.setHealth(on.container, "healthy");
    await untilTask(on.rig, on.task, "routed");
    expect(lease.isClosed()).toBe(false);
  });

  test("a stop signal drains at once, without waiting for a successor", async () => {
    using server = startModelServer("m");
    using slow = startModelServer("m");
    using on = await routed(server);
    slow.answer = () => new Promise(() => undefined);
    on.swarm.addTask(on.service, { port: slow.port, createdAtMs: Date.now() + 1 });
    on.engine.emitLine(swarmEvent("service", "update", on.service.id));
    await until("the successor is asked for its models", () => slow.reads() > 0);
    on.engine.kill(on.container);
    await untilTask(on.rig, on.task, "stopping");
  });

  test("the end of a task closes its requests in flight at once", async () => {
    using server = startModelServer("m");
    using on = await routed(server);
    const lease = leaseFrom(on.rig);
    on.engine.exit(on.container, 3);
    await until("the request is closed", () => lease.isClosed());
    expect(on.rig.table.find("m").kind).not.toBe("live");
  });

  test("reports a pause", async () => {
    using server = startModelServer("m");
    using on = await routed(server);
    on.container.status = "paused";
    on.engine.emit(on.container, "pause");
    await untilTask(on.rig, on.task, "paused");
  });
});

describe("Swarm's DNS", () => {
  const NETWORK = { id: "overlay", name: "ai", addresses: ["127.0.0.1/24"] };
  const network = { ...NETWORK, ipv4: "127.0.0.9", ipv6: "", gateway: "" };
  const place = () => ({ kind: "container", networks: [network], hostAddress: undefined }) as const;

  test("a task that is no longer listed takes no requests until it is listed again; an answer without addresses changes nothing", async () => {
    using server = startModelServer("m");
    using engine = await new FakeEngine().start();
    const { swarm, service } = world(engine, ["CMD", "true"]);
    service.labels = { ...service.labels, "inference.port": String(server.port) };
    const task = swarm.addTask(service, { networks: [NETWORK] });
    let named: readonly string[] = ["127.0.0.1", "127.0.0.2"];
    const asked: string[] = [];
    const resolve = async (name: string): Promise<readonly string[]> => {
      asked.push(name);
      if (named.length === 0) throw new Error("ENOTFOUND");
      return named;
    };
    using rig = startSwarm(engine, { place, resolve });
    await untilTask(rig, task, "routed");
    const lease = leaseFrom(rig);
    await until("its name was asked", () => asked.length > 1);
    expect(new Set(asked)).toEqual(new Set(["tasks.vllm"]));
    named = [];
    const { length } = asked;
    await until("no answer came", () => asked.length > length + 2);
    expect(stateOfTask(rig, task)).toBe("routed");
    named = ["127.0.0.2"];
    await untilTask(rig, task, "unhealthy");
    expect([rig.table.route("m").kind, lease.isClosed()]).toEqual(["draining", false]);
    named = ["127.0.0.2", "127.0.0.1"];
    await untilTask(rig, task, "routed");
  });

  test("is not asked if the proxy is on no network of the swarm", async () => {
    using server = startModelServer("m");
    using engine = await new FakeEngine().start();
    const { swarm, service } = world(engine, ["CMD", "true"]);
    const task = swarm.addTask(service, { port: server.port });
    const asked: string[] = [];
    const resolve = async (name: string): Promise<readonly string[]> => {
      asked.push(name);
      return [];
    };
    using rig = startSwarm(engine, { resolve });
    await untilTask(rig, task, "routed");
    await nextReads(engine, 3);
    expect(asked).toEqual([]);
  });
});
