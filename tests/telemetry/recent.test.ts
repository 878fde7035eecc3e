/** The counts of recent requests that go through the proxy. */
import { describe, expect, test } from "bun:test";
import type { RecentWindow } from "../../src/status.ts";
import { Recent } from "../../src/telemetry/recent.ts";
import { NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { converse } from "../support/client/websocket.ts";
import { rawRequest, startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

const RUN = { source: "docker", id: "c1", startedAtMs: 0 };

type Answer = (request: Request) => Response | Promise<Response>;

/** A proxy that counts, in front of one server with the model `m`. */
function start(answer: Answer) {
  const server = Bun.serve({ port: 0, fetch: answer });
  const rig = startTo(`http://127.0.0.1:${server.port}`);
  const dispose = (): void => {
    rig[Symbol.dispose]();
    void server.stop(true);
  };
  return { ...rig, [Symbol.dispose]: dispose };
}

function startTo(origin: string) {
  const recent = new Recent();
  const backend = makeBackend({ run: RUN, origin });
  const proxy = startProxy({ backends: [backend], telemetry: recent.counting(NO_TELEMETRY) });
  const ask = (body: object, path = CHAT, signal: AbortSignal | null = null): Promise<Response> =>
    fetch(`${proxy.origin}${path}`, { method: "POST", body: JSON.stringify(body), signal });
  return {
    recent,
    proxy,
    ask,
    all: (): Partial<RecentWindow> => recent.ofAll?.last_5_minutes ?? {},
    model: (): Partial<RecentWindow> => recent.ofModel("m")?.last_5_minutes ?? {},
    container: (): Partial<RecentWindow> => recent.ofContainer(RUN)?.last_5_minutes ?? {},
    [Symbol.dispose]: () => proxy[Symbol.dispose](),
  };
}

function events(...values: readonly object[]): string {
  return values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("");
}

const CHAT = "/v1/chat/completions";
const BROKEN =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
const SSE = { headers: { "content-type": "text/event-stream" } };
const DONE = "data: [DONE]\n\n";

function streamOf(pieces: readonly string[], pauseMs = 5): Response {
  async function* piece(): AsyncGenerator<Uint8Array> {
    for (const text of pieces) {
      yield Buffer.from(text);
      await Bun.sleep(pauseMs); // the speed of the server, which the test measures
    }
  }
  return new Response(piece(), SSE);
}

describe("Recent", () => {
  test("counts a JSON answer with its tokens: for all, the model and the container", async () => {
    using rig = start(() => Response.json({ usage: { prompt_tokens: 3, completion_tokens: 5 } }));
    expect(rig.recent.ofAll).toBeNull();
    await (await rig.ask({ model: "m" })).json();
    for (const seen of [rig.all(), rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ requests: 1, failed: 0, statuses: { "2xx": 1 } });
      expect(seen.errors).toEqual({});
      expect(seen).toMatchObject({ input_tokens: 3, output_tokens: 5, first_chunk_ms: null });
    }
    expect(rig.recent.models).toEqual(["m"]);
  });

  test("counts a streamed answer: first chunk, pieces and tokens a second", async () => {
    const usage = { prompt_tokens: 3, completion_tokens: 40 };
    using rig = start(() =>
      streamOf([...new Array(20).fill(events({ choices: [] })), events({ usage }), DONE]),
    );
    await (await rig.ask({ model: "m", stream: true })).text();
    for (const seen of [rig.all(), rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ requests: 1, input_tokens: 3, output_tokens: 40 });
      const { first_chunk_ms, pieces_per_second, tokens_per_second } = seen;
      expect(first_chunk_ms?.p50).toBeGreaterThan(0);
      expect(pieces_per_second).toBeGreaterThan(10);
      expect(pieces_per_second).toBeLessThan(250);
      expect((tokens_per_second ?? 0) / (pieces_per_second ?? 1)).toBeGreaterThan(1);
    }
  });

  test("counts an event stream of known length, which the proxy reads as a whole", async () => {
    const text = `${events({ usage: { prompt_tokens: 3, completion_tokens: 5 } })}${DONE}`;
    using rig = start(() => new Response(text, SSE));
    const answer = await rig.ask({ model: "m", stream: true });
    expect(answer.headers.get("content-length")).toBe(`${text.length}`);
    await answer.text();
    expect(rig.model()).toMatchObject({ input_tokens: 3, output_tokens: 5, failed: 0 });
    expect(rig.model().first_chunk_ms).not.toBeNull();
    expect(rig.model().pieces_per_second).toBeNull();
  });

  test("counts a client that left before its answer as 499, for the model and the container", async () => {
    const asked = Promise.withResolvers<void>();
    using rig = start(async () => {
      asked.resolve();
      await new Promise(() => undefined); // it never answers
      return new Response();
    });
    const leaving = new AbortController();
    const answer = rig.ask({ model: "m" }, CHAT, leaving.signal);
    await asked.promise;
    leaving.abort();
    await answer.catch(() => undefined);
    await until("it is counted", () => rig.container().requests === 1 && rig.all().requests === 1);
    for (const seen of [rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ failed: 0, statuses: { "4xx": 1 }, errors: { client_gone: 1 } });
    }
  });

  test("reads Anthropic's input tokens from the first event of a long stream", async () => {
    const start_ = { type: "message_start", message: { usage: { input_tokens: 12 } } };
    const long = new Array(50).fill(events({ type: "ping", text: "x".repeat(1_000) }));
    const end = { type: "message_delta", usage: { output_tokens: 7 } };
    using rig = start(() => streamOf([events(start_), ...long, events(end)], 1));
    await (await rig.ask({ model: "m", stream: true }, "/v1/messages")).text();
    expect(rig.model()).toMatchObject({ input_tokens: 12, output_tokens: 7 });
  });

  test.each([
    ["an unknown model", { model: "x" }, 404, { model_not_found: 1 }],
    ["no model", {}, 400, { model_required: 1 }],
  ])("counts a request for %s only in the total", async (_what, body, answered, errors) => {
    using rig = start(() => new Response("{}"));
    expect((await rig.ask(body)).status).toBe(answered);
    expect(rig.all()).toMatchObject({ requests: 1, failed: 1, errors });
    expect(rig.recent.ofModel("x")).toBeNull();
    expect(rig.recent.ofModel("m")).toBeNull();
  });

  test("counts errors of the server only by their status class", async () => {
    using rig = start(() => new Response("{}", { status: 500 }));
    await (await rig.ask({ model: "m" })).text();
    for (const seen of [rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ failed: 1, statuses: { "5xx": 1 } });
      expect(seen.errors).toEqual({});
    }
  });

  test("counts an unreachable server: for the client, and for its container", async () => {
    const recent = new Recent();
    const backend = makeBackend({ run: RUN, origin: "http://127.0.0.1:1" });
    using proxy = startProxy({ backends: [backend], telemetry: recent.counting(NO_TELEMETRY) });
    const body = JSON.stringify({ model: "m" });
    const { status } = await fetch(`${proxy.origin}/v1/completions`, { method: "POST", body });
    expect(status).toBe(502);
    expect(recent.ofModel("m")?.last_hour).toMatchObject({
      requests: 1,
      failed: 1,
      statuses: { "5xx": 1 },
      errors: { backend_unreachable: 1 },
    });
    expect(recent.ofContainer(RUN)?.last_hour).toMatchObject({
      failed: 1,
      errors: { connection_refused: 1 },
    });
    expect(recent.inFlightOf("m")).toBe(0);
  });

  test("counts a broken answer", async () => {
    using upstream = await rawServer();
    using rig = startTo(upstream.origin);
    using client = await rawConnect(rig.proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request(0);
    connection.send(BROKEN);
    await client.waitFor("hello");
    connection.reset();
    await client.waitForClose();
    await until("it is counted", () => rig.all().requests === 1);
    const errors = { upstream_broken_off: 1 };
    for (const seen of [rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ requests: 1, failed: 1, statuses: { "2xx": 1 }, errors });
      expect(seen.first_chunk_ms).not.toBeNull();
    }
  });

  test("counts a client that left, and then no request in flight", async () => {
    using rig = start(() => streamOf(new Array(1_000).fill("data: 1\n\n")));
    const leaving = new AbortController();
    const answer = await rig.ask({ model: "m" }, CHAT, leaving.signal);
    await answer.body?.getReader().read();
    expect(rig.recent.inFlightOf("m")).toBe(1);
    leaving.abort();
    await until("it is counted", () => rig.all().requests === 1);
    const errors = { client_gone: 1 };
    for (const seen of [rig.model(), rig.container()]) {
      expect(seen).toMatchObject({ requests: 1, failed: 0, statuses: { "2xx": 1 }, errors });
    }
    expect(rig.recent.inFlightOf("m")).toBe(0);
  });

  test("counts a WebSocket as in flight until its end, and then as a request", async () => {
    const recent = new Recent();
    using server = startWebSocketServer();
    const backend = makeBackend({ run: RUN, origin: server.origin });
    using proxy = startProxy({ backends: [backend], telemetry: recent.counting(NO_TELEMETRY) });
    const client = await converse(`ws://127.0.0.1:${proxy.port}/v1/realtime?model=m`);
    expect(recent.inFlightOf("m")).toBe(1);
    expect(recent.ofModel("m")).toBeNull();
    client.socket.close(1000);
    await until("it is counted", () => recent.ofModel("m")?.last_hour.requests === 1);
    expect(recent.ofModel("m")?.last_hour.statuses).toEqual({ "1xx": 1 });
    expect(recent.ofModel("m")?.last_hour.errors).toEqual({});
    expect(recent.inFlightOf("m")).toBe(0);
  });

  test("does not see the pieces of an answer as they pass", () => {
    const { request } = new Recent().counting(NO_TELEMETRY);
    const report = request(new Request("http://x/", { method: "POST" }), CHAT);
    const call = report.call({ name: "b", origin: "http://b", basePath: "" });
    expect(call.answered(new Response("", SSE))).toBeUndefined();
    expect(call.keepsPieces).toBe(true);
  });
});
