/** Too large, slow or false answers of a manager. None may end the proxy, or stop it for long. */
import { describe, expect, test } from "bun:test";
import { FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm, LABELLED } from "../../support/engine/fake-swarm.ts";
import { wireNode, wireService, wireTask } from "../../support/engine/swarm-shapes.ts";
import { startModelServer } from "../../support/proxy/discovery.ts";
import { startSwarm, stateOfTask, untilTask } from "../../support/proxy/swarm.ts";
import { until } from "../../support/until.ts";

async function manager(port: number) {
  const [engine, swarm] = [await new FakeEngine().start(), new FakeSwarm()];
  engine.swarm = swarm;
  const service = swarm.addService();
  return { engine, swarm, service, task: swarm.addTask(service, { port }) };
}

/** Answers one path with another answer. */
function lie(engine: FakeEngine, path: string, answer: () => unknown): void {
  engine.intercept = (asked) => {
    if (!asked.endsWith(path)) return undefined;
    const body = answer();
    return { status: 200, body: typeof body === "string" ? body : JSON.stringify(body) };
  };
}

const STEERING = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

describe("a manager with false answers", () => {
  test("names with control characters and paths never reach the log or the status unescaped", async () => {
    using server = startModelServer("m");
    const { engine, swarm } = await manager(server.port);
    using _engine = engine;
    const evil = "../../\u001b[31m\u0007\u009b\u202e\nx";
    const node = swarm.addNode({ hostname: evil });
    const service = swarm.addService({ name: evil, mode: "global", healthcheck: undefined });
    const task = swarm.addTask(service, { port: server.port, slot: 0, nodeId: node.id });
    const failed = swarm.addService({ name: `${evil}2` });
    swarm.addTask(failed, { state: "pending", error: `no suitable node ${evil}`, containerId: "" });
    swarm.addTask(swarm.addService({ name: `${evil}3`, labels: { "inference.enable": evil } }));
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    const { written } = rig.log;
    expect(written.length).toBeGreaterThan(2);
    for (const line of written) expect(line).not.toMatch(STEERING);
  });

  test.each<[what: string, path: string, answer: unknown]>([
    ["an object instead of a list", "/tasks", {}],
    ["null", "/tasks", "null"],
    ["invalid JSON", "/tasks", "[{"],
    ["a page of HTML", "/tasks", "<html>hello</html>"],
    ["a task without an id", "/tasks", [{ DesiredState: "running", Status: { State: "running" } }]],
    ["labels that are a number", "/services", [{ ID: "s", Spec: { Name: "x", Labels: 7 } }]],
    ["very deep nesting", "/services", "[".repeat(200_000)],
  ])("%s: refuses the answer, and keeps the known tasks", async (_what, path, answer) => {
    using server = startModelServer("m");
    const { engine, task } = await manager(server.port);
    using _engine = engine;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    lie(engine, path, () => answer);
    await until("it is lost", () => rig.swarm.status?.state === "lost");
    expect(stateOfTask(rig, task)).toBe("routed");
    expect(rig.log.count("internal error")).toBe(0);
  });

  test("invalid numbers, dates and addresses", async () => {
    using server = startModelServer("m");
    const { engine, swarm, service, task } = await manager(server.port);
    using _engine = engine;
    const bad = swarm.addNode({ address: "evil host/../x", hostname: "" });
    const tasks = [
      { ...wireTask(task), CreatedAt: "never", Slot: -3 },
      wireTask(swarm.addTask(service, { id: "bad-node", port: server.port, nodeId: bad.id })),
      wireTask(swarm.addTask(service, { id: "no-port", hostPorts: { 8000: 99_999_999 } })),
      wireTask(
        swarm.addTask(service, {
          id: "no-address",
          networks: [{ id: "n", name: "n", addresses: ["x y/24", "../1"] }],
        }),
      ),
      { ...wireTask(swarm.addTask(service, { id: "fraction", port: server.port })), Slot: 1.5 },
    ];
    lie(engine, "/tasks", () => tasks);
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    await untilTask(rig, { id: "fraction" }, "routed");
    for (const id of ["bad-node", "no-port", "no-address"]) await untilTask(rig, { id }, "ignored");
    expect(rig.log.count("internal error")).toBe(0);
    expect(JSON.stringify(rig.swarm.status)).toContain("does not know the address of its node");
  });

  test("the same task twice, in two services: one run", async () => {
    using server = startModelServer("m");
    const { engine, swarm, task } = await manager(server.port);
    using _engine = engine;
    const other = swarm.addService({ name: "other" });
    lie(engine, "/tasks", () => [
      wireTask(task),
      wireTask(task),
      { ...wireTask(task), ServiceID: other.id },
    ]);
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    expect(rig.table.backends.size).toBe(1);
    expect(rig.members().map(({ name }) => name)).toEqual(["other.1"]);
  });
});

describe("a manager with a thousand times larger answers", () => {
  /** The longest time in which no other code ran, ms. */
  async function stall(act: () => Promise<void>): Promise<number> {
    let [longestMs, lastMs] = [0, performance.now()];
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await act();
    clearInterval(timer);
    return longestMs;
  }

  test("5,000 tasks and 100,000 nodes: routes the one labelled task", async () => {
    using server = startModelServer("m");
    const { engine, swarm, task } = await manager(server.port);
    using _engine = engine;
    const node = wireNode(swarm.nodes.get(task.nodeId)!);
    const nodes = Array.from({ length: 100_000 }, (_, n) => ({ ...node, ID: `n${n}` }));
    const body = JSON.stringify([node, ...nodes]);
    lie(engine, "/nodes", () => body);
    const other = swarm.addService({ labels: {} });
    for (let n = 0; n < 5_000; n += 1) swarm.addTask(other, { id: `t${n}`, port: 1, slot: n });
    using rig = startSwarm(engine);
    const longestMs = await stall(() => untilTask(rig, task, "routed", 20_000));
    expect(longestMs).toBeLessThan(5_000);
    expect(engine.requests.filter((path) => path.endsWith("/nodes"))).toHaveLength(1);
  });

  test("labels of megabytes", async () => {
    using server = startModelServer("m");
    const { engine, swarm, service, task } = await manager(server.port);
    using _engine = engine;
    const noise = { "com.example.noise": "x".repeat(4 * 1024 * 1024) };
    service.labels = { ...LABELLED, ...noise };
    service.containerLabels = noise;
    const models = Array.from({ length: 900 }, (_, n) => `model-${n}-${"y".repeat(1_000)}`);
    const named = swarm.addService({
      name: "named",
      labels: { ...LABELLED, "inference.models": models.join(",") },
    });
    for (let n = 1; n <= 50; n += 1) swarm.addTask(named, { port: server.port, slot: n });
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed", 10_000);
    expect(rig.log.count("y".repeat(5_000))).toBe(0);
  });

  test("refuses an answer over 64 MiB, and keeps the known tasks", async () => {
    using server = startModelServer("m");
    const { engine, task, service } = await manager(server.port);
    using _engine = engine;
    using rig = startSwarm(engine);
    await untilTask(rig, task, "routed");
    const large = JSON.stringify([
      { ...wireService(service), Endpoint: "x".repeat(65 * 1024 * 1024) },
    ]);
    lie(engine, "/services", () => large);
    await until("it is lost", () => rig.swarm.status?.state === "lost", 10_000);
    expect(stateOfTask(rig, task)).toBe("routed");
    engine.intercept = () => undefined;
    await until("it is followed again", () => rig.swarm.status?.state === "followed");
  }, 30_000);
});
