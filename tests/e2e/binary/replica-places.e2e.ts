/**
 * Requests that must be sent once only, or that belong to one replica,
 * through the compiled binary in front of a fake engine.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import {
  CHAT,
  CompiledReplicas,
  cooledMs,
  namesOf,
  type Reaction,
} from "../../support/proxy/compiled-replicas.ts";
import { rawRequest } from "../../support/proxy/in-process.ts";
import { answer } from "../../support/server/wire-server.ts";
import { until } from "../../support/until.ts";

const FINE: Reaction = ({ send, server }) => send(answer(200, { "X-By": server.name }, "fine"));
const RESET: Reaction = ({ reset }) => reset();
const JSON_TYPE = { "Content-Type": "application/json" };

let replicas: CompiledReplicas;

beforeAll(async () => {
  const models = [{ id: "m:latest", aliases: ["m", "gpt-4o"] }];
  replicas = await CompiledReplicas.start(3, { models });
  // Without idle connections: on one, a reset could mean that the server was just closing it.
  replicas.play(({ send }) => send(answer(200, { Connection: "close" })));
});

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
});

type Ask = NonNullable<Parameters<CompiledReplicas["ask"]>[0]>;

function oneOfEach(...names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

const ALL = ["replica-1", "replica-2", "replica-3"];

describe("a request that must not be sent twice", () => {
  test.each<[string, Ask]>([
    ["DELETE", { method: "DELETE", path: "/v1/x?model=m" }],
    ["GET", { method: "GET", path: "/v1/x?model=m" }],
    ["PUT", { method: "PUT", path: "/v1/x?model=m", body: "{}" }],
    ["a file", { path: "/v1/files?model=m", body: '{"model":"m"}' }],
    ["a batch", { path: "/v1/batches?model=m", body: '{"model":"m"}' }],
    ["a cancel", { path: "/v1/batches/b/cancel?model=m", body: '{"model":"m"}' }],
    ["an adapter", { path: "/v1/load_lora_adapter?model=m", body: '{"lora_name":"a"}' }],
    [
      "work in the background",
      { path: "/v1/responses", body: '{"model":"m","background":true,"input":"x"}' },
    ],
    ["a body that the proxy does not keep", { chunked: true }],
    ["a long body", { body: `{"model":"m","x":"${"x".repeat(1_100_000)}"}` }],
  ])("(%s) goes to no other replica when its server resets the connection", async (_what, ask) => {
    const arrivals = replicas.play(RESET);
    expect(await replicas.ask(ask)).toMatchObject({ status: 502 });
    expect(oneOfEach(...namesOf(arrivals))).toHaveLength(1);
  });

  test.each<[string, Ask]>([
    ["a body that the proxy does not keep", { chunked: true }],
    ["a file", { path: "/v1/files?model=m", body: '{"model":"m"}' }],
  ])("(%s) gets its server's 503", async (_what, ask) => {
    const arrivals = replicas.play(({ send }) => send(answer(503, { "Retry-After": "1" }, "busy")));
    expect(await replicas.ask(ask)).toMatchObject({ status: 503, body: "busy" });
    expect(arrivals).toHaveLength(1);
  });
});

test.each(["/v1/completions", "/v1/embeddings", "/v1/messages", "/v1/responses", "/v1/rerank"])(
  "POST %s goes to another replica when its server resets the connection",
  async (path) => {
    const arrivals = replicas.play((arrival, nth) => (nth === 0 ? RESET : FINE)(arrival, nth));
    expect(await replicas.ask({ path })).toMatchObject({ status: 200, body: "fine" });
    expect(arrivals).toHaveLength(2);
  },
);

test.each(["m", "gpt-4o", "m:latest"])(
  "all replicas share the requests for the name %s",
  async (model) => {
    const arrivals = replicas.play(FINE);
    const body = `{"model":"${model}","messages":[]}`;
    for (let n = 0; n < 6; n += 1) expect((await replicas.ask({ body })).status).toBe(200);
    expect(oneOfEach(...namesOf(arrivals))).toEqual(ALL);
    const again = replicas.play(({ send }) => send(answer(429, {}, "busy")));
    expect((await replicas.ask({ body })).status).toBe(429);
    expect([...namesOf(again)].sort()).toEqual(ALL);
  },
);

describe("requests about the state of one server", () => {
  let ids: ReadonlyMap<string, string>;

  beforeAll(async () => {
    const made = new Map<string, string>();
    replicas.play(({ send, server }) => {
      const id = `resp_${server.name}`;
      made.set(id, server.name);
      send(answer(200, JSON_TYPE, `{"id":"${id}","object":"response","output":[]}`));
    });
    const body = '{"model":"m","input":"x"}';
    for (let n = 0; n < 20 && made.size < 3; n += 1) {
      await replicas.ask({ path: "/v1/responses", body });
    }
    ids = made;
    expect(oneOfEach(...ids.values())).toEqual(ALL);
  });

  test.each<[string, (id: string) => Ask]>([
    ["answers a GET for it", (id) => ({ method: "GET", path: `/v1/responses/${id}` })],
    ["answers a DELETE for it", (id) => ({ method: "DELETE", path: `/v1/responses/${id}` })],
    ["cancels it", (id) => ({ path: `/v1/responses/${id}/cancel`, body: "{}" })],
    [
      "continues it, with a model",
      (id) => ({
        path: "/v1/responses",
        body: `{"model":"m","input":"y","previous_response_id":"${id}"}`,
      }),
    ],
    [
      "continues it, with the response's id first",
      (id) => ({
        path: "/v1/responses",
        body: `{"previous_response_id":"${id}","input":"y","model":"m"}`,
      }),
    ],
    [
      "continues it, with a model and a long input",
      (id) => ({
        path: "/v1/responses",
        body: `{"model":"m","input":"${"x".repeat(200_000)}","previous_response_id":"${id}"}`,
      }),
    ],
    [
      "continues it, without a model",
      (id) => ({ path: "/v1/responses", body: `{"previous_response_id":"${id}","input":"y"}` }),
    ],
  ])("the server that made a response %s", async (_what, ask) => {
    for (const [id, name] of ids) {
      const arrivals = replicas.play(FINE);
      for (let n = 0; n < 3; n += 1) {
        expect(await replicas.ask(ask(id))).toMatchObject({ status: 200, body: "fine" });
      }
      expect(namesOf(arrivals)).toEqual([name, name, name]);
    }
  });

  test.each<[string, Ask]>([
    ["GET /v1/files", { method: "GET", path: "/v1/files" }],
    ["GET /v1/files/f-1/content", { method: "GET", path: "/v1/files/f-1/content" }],
    ["POST /v1/batches", { path: "/v1/batches", body: '{"input_file_id":"f-1"}' }],
    ["GET /v1/conversations/c-1", { method: "GET", path: "/v1/conversations/c-1" }],
    ["POST /v1/vector_stores with a model", { path: "/v1/vector_stores", body: '{"model":"m"}' }],
    [
      "a response of a conversation",
      { path: "/v1/responses", body: '{"input":"x","conversation":{"id":"c-1"},"model":"m"}' },
    ],
    ["GET /v1/files?model=m", { method: "GET", path: "/v1/files?model=m" }],
  ])("the newest replica always gets %s", async (_what, ask) => {
    const arrivals = replicas.play(FINE);
    for (let n = 0; n < 4; n += 1) {
      expect(await replicas.ask(ask)).toMatchObject({ status: 200, body: "fine" });
    }
    expect(namesOf(arrivals)).toEqual(Array(4).fill(replicas.newest.name));
  });
});

describe("inference.max_in_flight", () => {
  test.each([
    [
      "with the replica label: 429 only when all replicas are full",
      "true",
      ["replica-1", "replica-2"],
    ],
    ["without the label: requests beyond the newest one's limit get 429", "false", ["replica-2"]],
  ])("%s", async (_what, replica, expected) => {
    const labels = { "inference.replica": replica, "inference.max_in_flight": "2" };
    await using two = await CompiledReplicas.start(2, { labels });
    const arrivals = two.play(() => undefined);
    const room = 2 * expected.length;
    const clients = await Promise.all(
      Array.from({ length: room }, () => rawConnect(two.proxy.port)),
    );
    for (const client of clients) client.send(rawRequest(CHAT, ["Connection: close"]));
    await until("all places are taken", () => arrivals.length === room);
    expect(oneOfEach(...namesOf(arrivals))).toEqual([...expected]);
    const refused = await two.ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toEqual(["1"]);
    expect(JSON.parse(refused.body)).toMatchObject({
      error: { type: "rate_limit_error", code: "backend_saturated" },
    });
    for (const { send } of arrivals) send(answer(200, {}, "fine"));
    await Promise.all(clients.map((client) => client.waitForClose()));
    for (const client of clients) expect(client.received()).toEndWith("\r\n\r\nfine");
    two.play(FINE);
    expect((await two.ask()).status).toBe(200);
  });
});

describe("a replica that answers 503 or 429 gets no requests", () => {
  test("for the time of its Retry-After, or for 1 s without one", async () => {
    const [silent, two] = await Promise.all([
      cooledMs(answer(503, {}, "busy")),
      cooledMs(answer(429, { "Retry-After": "2" }, "busy")),
    ]);
    const slackMs = 900; // the time from one request to the next on a busy machine
    expect(silent).toBeWithin(990, 1_000 + slackMs);
    expect(two).toBeWithin(1_990, 2_000 + slackMs);
  }, 30_000);
});
