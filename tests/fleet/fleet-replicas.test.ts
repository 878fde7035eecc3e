/** Containers with the label inference.replica, from the engine to the status and the log. */
import { expect, test } from "bun:test";
import type { ContainerStatus } from "../../src/status.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import type { FakeContainer } from "../support/engine/replies.ts";
import {
  type Discovery,
  type ModelServer,
  startDiscovery,
  startModelServer,
  untilState,
} from "../support/proxy/discovery.ts";
import { expectNever, until } from "../support/until.ts";

function addReplica(
  fake: FakeEngine,
  { port }: ModelServer,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): FakeContainer {
  const enabled = { "inference.enable": "true", "inference.port": String(port) };
  return fake.add({ name, labels: { ...enabled, "inference.replica": "true", ...labels } });
}

/** Takes a lease for a model, as a request does. */
function request({ table }: Discovery, model = "m", prompt = ""): void {
  const route = table.route(model, { prompt: Buffer.from(prompt) });
  if (route.kind !== "routed") throw new Error(`not routed: ${route.kind}`);
}

function shown(discovery: Discovery, name: string): ContainerStatus | undefined {
  return discovery.containers().find((container) => container.name === name);
}

test("the status of each replica shows its shared models, its load, and why it got its requests", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const one = addReplica(fake, models, "gpu-1", { "inference.max_in_flight": "16" });
  const other = addReplica(fake, models, "gpu-2");
  using discovery = startDiscovery(fake);
  for (const container of [one, other]) await untilState(discovery, container, "routed");
  const prompt = "x".repeat(8 * 1024);
  for (let n = 0; n < 4; n += 1) request(discovery, "m", prompt); // the first by load, three by prefix
  const [first, second] = discovery.containers();
  expect([first, second]).toMatchObject([
    {
      name: "gpu-1",
      max_in_flight: 16,
      reason: "healthy; shares the requests for model m with gpu-2",
    },
    {
      name: "gpu-2",
      max_in_flight: null,
      reason: "healthy; shares the requests for model m with gpu-1",
    },
  ]);
  const busy = first?.in_flight === 4 ? first : second;
  expect(busy).toMatchObject({
    in_flight: 4,
    load: 5, // four requests and one prompt of 8 KiB; the other three prompts are known
    requests_last_minute: { prefix: 3, load: 1, only: 0, failover: 0 },
  });
  expect(busy === first ? second : first).toMatchObject({
    in_flight: 0,
    load: 0,
    requests_last_minute: { prefix: 0, load: 0, only: 0, failover: 0 },
  });
  expect(discovery.log.count("duplicate models")).toBe(0);
});

test("the reason of a cooling replica says so; a replica that is not routed has no load", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const container = addReplica(fake, models, "gpu", { "inference.max_in_flight": "2" });
  using discovery = startDiscovery(fake);
  await untilState(discovery, container, "routed");
  for (const { load } of discovery.table.replicas) load.cool(performance.now() + 60_000);
  request(discovery);
  expect(shown(discovery, "gpu")).toMatchObject({
    reason: expect.stringMatching(/^healthy; it just answered 429 or 503, or could not be reached/),
    ...{ load: 1, requests_last_minute: { only: 1 } },
  });
  fake.setHealth(container, "unhealthy");
  await untilState(discovery, container, "unhealthy");
  expect(shown(discovery, "gpu")).toMatchObject({
    reason: expect.not.stringContaining("429"),
    ...{ in_flight: 1, max_in_flight: 2, load: null, requests_last_minute: null },
  });
  fake.setHealth(container, "healthy");
  await untilState(discovery, container, "routed");
  expect(shown(discovery, "gpu")).toMatchObject({ in_flight: 1, load: 1 });
  fake.exit(container);
  await untilState(discovery, container, "stopped");
  expect(shown(discovery, "gpu")).toMatchObject({ in_flight: 0, max_in_flight: null, load: null });
});

test("a container with an invalid value of the label is ignored, and the reason says what to write", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  const container = addReplica(fake, models, "gpu", { "inference.replica": "yes" });
  using discovery = startDiscovery(fake);
  await untilState(discovery, container, "ignored");
  expect(shown(discovery, "gpu")?.reason).toBe(
    'label inference.replica is "yes": write "true" if it is one of several replicas',
  );
});

test("when a re-read shows a difference to the list of another replica, there is a warning", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  using others = startModelServer("m");
  const [one, other] = [addReplica(fake, models, "gpu-1"), addReplica(fake, others, "gpu-2")];
  let created = 0;
  let length = 8_192;
  const list = (max_model_len: number): Response => {
    created += 1; // like vLLM, a new time in each answer
    return Response.json({ data: [{ id: "m", created, max_model_len }] });
  };
  models.answer = () => list(8_192);
  others.answer = () => list(length);
  using discovery = startDiscovery(fake, { rereadMs: 20 });
  for (const container of [one, other]) await untilState(discovery, container, "routed");
  const warnings = () => discovery.log.lines.filter(({ message }) => message === "replicas differ");
  await expectNever("it warns", () => warnings().length > 0, 30);
  length = 4_096;
  await until("it warns", () => warnings().length > 0);
  const { reads } = others;
  const before = reads();
  await until("it has been read again", () => reads() > before + 2);
  expect(warnings()).toMatchObject([
    {
      models: ["m"],
      reason: expect.stringMatching(
        /^model m: max_model_len is \d+ on gpu-\d and \d+ on gpu-\d\. Requests go to both\./,
      ),
    },
  ]);
  expect(discovery.log.count("models changed")).toBe(0);
});
