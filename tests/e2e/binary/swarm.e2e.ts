/**
 * The compiled binary in front of a fake swarm manager. It runs as a process on the host, so it reaches tasks
 * through the ports that they publish on their nodes (mode=host).
 */
import { describe, expect, test } from "bun:test";
import { envOf, FakeEngine } from "../../support/engine/fake.ts";
import { FakeSwarm } from "../../support/engine/fake-swarm.ts";
import { type FakeTask, swarmEvent } from "../../support/engine/swarm-shapes.ts";
import { runCompiled, startCompiled } from "../../support/proxy/compiled.ts";
import { fakeBackend, streamedAnswer } from "../../support/server/scripted.ts";
import { expectNever, until } from "../../support/until.ts";

const BOUND_MS = 20_000;
const MODELS = (): Response => Response.json({ data: [{ id: "m" }] });

type Server = ReturnType<typeof fakeBackend>;
type Reply = (path: string) => Response | Promise<Response>;

function serverOf(reply: Reply = () => new Response("answer")): Server {
  return fakeBackend(({ target }) => (target === "/v1/models" ? MODELS() : reply(target)));
}

async function startManager(...servers: readonly Server[]) {
  const [engine, swarm] = [await new FakeEngine().start(), new FakeSwarm()];
  engine.swarm = swarm;
  swarm.addNode({ hostname: "gpu-1" });
  const service = swarm.addService({ replicas: servers.length });
  const tasks = servers.map(({ origin }, n) =>
    swarm.addTask(service, { slot: n + 1, port: Number(new URL(origin).port) }),
  );
  return { engine, swarm, service, tasks };
}

type Shown = {
  readonly swarm: {
    readonly state: string;
    readonly services: readonly { readonly routed: number; readonly update: string | null }[];
  } | null;
  readonly containers: readonly { readonly id: string; readonly state: string }[];
};

async function statusOf({ origin }: { readonly origin: string }): Promise<Shown> {
  return (await fetch(`${origin}/status`).then((answer) => answer.json())) as Shown;
}

function untilTask(
  proxy: { readonly origin: string },
  { id }: FakeTask,
  state: string | undefined,
): Promise<void> {
  const isSo = async (): Promise<boolean> =>
    (await statusOf(proxy)).containers.find((one) => one.id === id)?.state === state;
  return until(`the task is ${state}`, isSo, BOUND_MS);
}

function chat({ origin }: { readonly origin: string }): Promise<Response> {
  const body = JSON.stringify({ model: "m", messages: [] });
  return fetch(`${origin}/v1/chat/completions`, { method: "POST", body });
}

/** The number of requests that a server got, without reads of its model list. */
function askedOf({ received }: Server): number {
  return received.filter(({ target }) => target !== "/v1/models").length;
}

describe("in front of a manager", () => {
  test("the tasks of a service share its requests, and status shows them", async () => {
    using first = serverOf();
    using second = serverOf();
    const { engine, service, tasks } = await startManager(first, second);
    using _engine = engine;
    await using proxy = await startCompiled({ env: envOf(engine) });
    for (const task of tasks) await untilTask(proxy, task, "routed");
    for (let n = 0; n < 10; n += 1) {
      const answer = await chat(proxy);
      expect([answer.status, await answer.text()]).toEqual([200, "answer"]);
    }
    expect(askedOf(first) + askedOf(second)).toBe(10);
    expect(Math.min(askedOf(first), askedOf(second))).toBeGreaterThan(2);
    expect((await statusOf(proxy)).swarm).toMatchObject({
      state: "followed",
      services: [
        {
          ...{ id: service.id, name: "vllm", replicas: 2, routed: 2, update: null, reason: "" },
          tasks: [
            { name: "vllm.1", node: "gpu-1", state: "running", desired_state: "running" },
            { name: "vllm.2", node: "gpu-1", state: "running", desired_state: "running" },
          ],
        },
      ],
    });
    const { code, stdout } = await runCompiled({ PROXY_PORT: String(proxy.port) }, ["status"]);
    expect(code).toBe(0);
    expect(stdout).toContain("vllm");
    expect(stdout).toContain("gpu-1");
  });

  test("a desired state of shutdown drains a task: streams continue to their end, and new requests go to the other task", async () => {
    const stream = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    using first = serverOf(() => stream.response);
    using second = serverOf();
    const { engine, swarm, service, tasks } = await startManager(first);
    using _engine = engine;
    await using proxy = await startCompiled({ env: envOf(engine) });
    await untilTask(proxy, tasks[0]!, "routed");
    stream.send("data: 1\n\n");
    const answer = await chat(proxy);
    const text = answer.text();
    const other = swarm.addTask(service, {
      ...{ slot: 2, port: Number(new URL(second.origin).port) },
    });
    await untilTask(proxy, other, "routed");
    tasks[0]!.desiredState = "shutdown";
    await untilTask(proxy, tasks[0]!, "stopping");
    for (let n = 0; n < 5; n += 1) expect(await (await chat(proxy)).text()).toBe("answer");
    expect([askedOf(first), askedOf(second)]).toEqual([1, 5]);
    stream.send("data: [DONE]\n\n");
    stream.end();
    expect(await text).toBe("data: 1\n\ndata: [DONE]\n\n");
    Object.assign(tasks[0]!, { state: "shutdown" });
    await untilTask(proxy, tasks[0]!, undefined);
    expect((await statusOf(proxy)).swarm?.services).toMatchObject([{ routed: 1 }]);
  });

  test("a start-first update has no outage: one task after the other is replaced", async () => {
    using first = serverOf();
    using second = serverOf();
    const { engine, swarm, service, tasks } = await startManager(first);
    using _engine = engine;
    await using proxy = await startCompiled({ env: envOf(engine) });
    await untilTask(proxy, tasks[0]!, "routed");
    let [isOver, lost] = [false, 0];
    const client = (async () => {
      while (!isOver) if ((await chat(proxy)).status !== 200) lost += 1;
    })();
    service.update = { State: "updating", StartedAt: new Date(Date.now() - 1).toISOString() };
    const port = Number(new URL(second.origin).port);
    const successor = swarm.addTask(service, { port });
    tasks[0]!.desiredState = "shutdown";
    engine.emitLine(swarmEvent("service", "update", service.id));
    await untilTask(proxy, successor, "routed");
    await untilTask(proxy, tasks[0]!, "stopping");
    expect((await statusOf(proxy)).swarm?.services[0]?.update).toBe("updating 1 of 1");
    Object.assign(tasks[0]!, { state: "shutdown" });
    service.update = { State: "completed" };
    await untilTask(proxy, tasks[0]!, undefined);
    const before = askedOf(second);
    await until("the new task answers", () => askedOf(second) > before + 5);
    isOver = true;
    await client;
    expect(lost).toBe(0);
  });
});

test("without a swarm, the engine gets one extra request for each connection, and refuses it", async () => {
  using server = serverOf();
  using engine = await new FakeEngine().start();
  const container = engine.add({ port: Number(new URL(server.origin).port) });
  await using proxy = await startCompiled({ env: envOf(engine) });
  const paths = (): readonly string[] =>
    engine.requests.map((path) => path.replace(/^\/v1\.\d+/, "").replace(/\?.*/, ""));
  const isRouted = async (): Promise<boolean> =>
    (await statusOf(proxy)).containers[0]?.state === "routed";
  await until("the container is routed", isRouted, BOUND_MS);
  expect((await statusOf(proxy)).swarm).toBe(null);
  const expected = ["/containers/json", `/containers/${container.id}/json`, "/events", "/version"];
  expect([...new Set(paths())].toSorted()).toEqual([...expected, "/services"].toSorted());
  const questions = (): number => paths().filter((path) => path === "/services").length;
  const sent = paths().length;
  for (let n = 0; n < 20; n += 1) await (await chat(proxy)).text();
  await expectNever("the engine gets another request", () => paths().length > sent, 1_000);
  expect(questions()).toBe(1);
  engine.cutStreams();
  await until("the engine gets the swarm request once more", () => questions() === 2, BOUND_MS);
  await expectNever("the engine gets the swarm request again", () => questions() > 2, 500);
  expect(proxy.log().some(({ level }) => level === "warn")).toBe(false);
});
