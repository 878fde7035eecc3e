import { describe, expect, test } from "bun:test";
import { post, streamedChat } from "../support/client/requests.ts";
import type { ReceivedSpan } from "../support/collector/receiver.ts";
import { startReportingProxy } from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { type FakeBackend, fakeBackend, streamedAnswer } from "../support/server/scripted.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";

/** Start times are in whole ms, durations are exact. */
const CLOCK_MS = 1.5;

function expectInside(inner: ReceivedSpan, outer: ReceivedSpan): void {
  expect(inner.startMs).toBeGreaterThanOrEqual(outer.startMs - CLOCK_MS);
  expect(inner.endMs).toBeLessThanOrEqual(outer.endMs + CLOCK_MS);
}

function backendOf({ origin }: FakeBackend): ReturnType<typeof makeBackend> {
  return makeBackend({ origin, name: "vllm-1" });
}

describe("one request", () => {
  test("is a SERVER span below the client's span, with a CLIENT span whose id the backend gets", async () => {
    using backend = fakeBackend(() => Response.json({ choices: [] }));
    using reporting = startReportingProxy([backendOf(backend)]);
    const response = await fetch(`${reporting.proxy.origin}/v1/chat/completions?key=secret`, {
      method: "POST",
      body: '{"model":"m"}',
      headers: { traceparent: `00-${TRACE_ID}-${PARENT_ID}-01`, tracestate: "vendor=1" },
    });
    expect(await response.json()).toEqual({ choices: [] });
    const { servers, clients } = await reporting.spans();
    expect([servers.length, clients.length]).toEqual([1, 1]);
    const [server] = servers as [ReceivedSpan];
    const [client] = clients as [ReceivedSpan];
    expect(server).toMatchObject({
      name: "POST /v1/chat/completions",
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
      traceState: "vendor=1",
      status: { code: "UNSET" },
    });
    expect(client).toMatchObject({
      name: "chat m",
      traceId: TRACE_ID,
      parentSpanId: server.spanId,
      status: { code: "UNSET" },
    });
    expectInside(client, server);
    expect(Math.abs(server.endMs - Date.now())).toBeLessThan(5_000);
    const { headers } = backend.received[0]!;
    expect(headers.get("traceparent")).toBe(`00-${TRACE_ID}-${client.spanId}-01`);
    expect(headers.get("tracestate")).toBe("vendor=1");
    const { port } = new URL(backend.origin);
    expect(server.attributes).toEqual({
      model: "m",
      backend_url: `${backend.origin}/v1`,
      "http.method": "POST",
      "http.status_code": 200,
      streaming: false,
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "http.route": "/v1/chat/completions",
      "url.path": "/v1/chat/completions",
      "url.scheme": "http",
      "server.address": "127.0.0.1",
      "server.port": reporting.proxy.port,
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "m",
      "container.name": "vllm-1",
    });
    expect(client.attributes).toEqual({
      backend_url: `${backend.origin}/v1`,
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.address": "127.0.0.1",
      "server.port": Number(port),
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "m",
      "container.name": "vllm-1",
    });
  });

  test.each([
    ["no trace", {}],
    ["a broken traceparent", { traceparent: "00-zz-1-01", tracestate: "vendor=1" }],
    [
      "two traceparents",
      { traceparent: `00-${TRACE_ID}-${PARENT_ID}-01, 00-${TRACE_ID}-${PARENT_ID}-00` },
    ],
  ])("with %s begins a new trace", async (_what, headers) => {
    using backend = fakeBackend();
    using reporting = startReportingProxy([backendOf(backend)]);
    const { origin } = reporting.proxy;
    await fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m"}',
      headers: { ...headers },
    });
    const { servers, clients } = await reporting.spans();
    expect(servers[0]).toMatchObject({ parentSpanId: "", traceState: "" });
    expect(servers[0]!.traceId).not.toBe(TRACE_ID);
    const sent = backend.received[0]!.headers;
    expect(sent.get("traceparent")).toBe(`00-${servers[0]!.traceId}-${clients[0]!.spanId}-01`);
    expect(sent.has("tracestate")).toBe(false);
  });

  test("that must not be sampled has no span, and tells the backend so", async () => {
    using backend = fakeBackend();
    using reporting = startReportingProxy([backendOf(backend)]);
    await fetch(`${reporting.proxy.origin}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m"}',
      headers: { traceparent: `00-${TRACE_ID}-${PARENT_ID}-00` },
    });
    expect(await reporting.spans()).toEqual({ servers: [], clients: [] });
    expect(backend.received[0]!.headers.get("traceparent")).toMatch(
      new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`),
    );
  });

  test("ends with the body of a stream, and shows its tokens and the time of its first piece", async () => {
    const answer = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    using backend = fakeBackend(() => answer.response);
    using reporting = startReportingProxy([backendOf(backend)]);
    answer.send("data: {}\n\n");
    const stream = await streamedChat(reporting.proxy.origin, "m");
    await Bun.sleep(60); // the span must take this long
    expect(reporting.receiver.spans).toEqual([]);
    answer.send('data: {"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\ndata: [DONE]\n\n');
    answer.end();
    expect(await stream.end).toBe("complete");
    const { servers, clients } = await reporting.spans();
    for (const span of [servers[0]!, clients[0]!]) {
      expect(span.endMs - span.startMs).toBeGreaterThanOrEqual(60);
      expect(span.attributes).toMatchObject({
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
      });
    }
    expect(servers[0]!.attributes).toMatchObject({ streaming: true });
    expect(clients[0]!.attributes["gen_ai.response.time_to_first_chunk"]).toBeNumber();
  });

  test("that creates a response reads the id and the tokens from the same answer", async () => {
    const answer = { id: "resp_1", output: [], usage: { input_tokens: 3, output_tokens: 5 } };
    using backend = fakeBackend(() => Response.json(answer));
    using other = fakeBackend();
    const newest = makeBackend({ origin: other.origin, models: [{ id: "n" }] });
    using reporting = startReportingProxy([backendOf(backend), newest]);
    const { origin } = reporting.proxy;
    expect(await (await post(origin, "/v1/responses", { model: "m" })).json()).toEqual(answer);
    expect((await fetch(`${origin}/v1/responses/resp_1`)).status).toBe(200);
    expect(backend.received).toHaveLength(2);
    const { servers, clients } = await reporting.spans();
    expect(servers.map(({ name }) => name)).toEqual([
      "POST /v1/responses",
      "GET /v1/responses/{response_id}",
    ]);
    expect(clients.map(({ name }) => name)).toEqual(["chat m", "GET /v1/responses/{response_id}"]);
    expect(servers[0]!.attributes).toMatchObject({
      "gen_ai.usage.input_tokens": 3,
      "gen_ai.usage.output_tokens": 5,
    });
  });

  test("never has the raw path in its name, and cuts the path and the model to 1,024 characters", async () => {
    using backend = fakeBackend();
    using reporting = startReportingProxy([backendOf(backend)]);
    const path = `/v1/${"x".repeat(5_000)}`;
    await post(reporting.proxy.origin, path, { model: "y".repeat(50_000) });
    const { servers } = await reporting.spans();
    expect(servers[0]!.name).toBe("POST /v1/*");
    expect(servers[0]!.attributes["url.path"]).toBe(path.slice(0, 1_024));
    expect(servers[0]!.attributes["model"]).toHaveLength(1_024);
    expect(servers[0]!.events[0]!.attributes["model"]).toHaveLength(1_024);
  });

  test.each<[host: string, address: string, port: number | undefined]>([
    ["proxy.test:8080", "proxy.test", 8080],
    ["proxy.test", "proxy.test", undefined],
    ["[::1]:8080", "::1", 8080],
    ["[::1]", "::1", undefined],
  ])("shows the host %s", async (host, address, port) => {
    using reporting = startReportingProxy([]);
    const init = { method: "POST", headers: { host }, body: '{"model":"m"}' };
    await fetch(`${reporting.proxy.origin}/v1/x`, init);
    const { servers } = await reporting.spans();
    expect(servers[0]!.attributes["server.address"]).toBe(address);
    expect(servers[0]!.attributes["server.port"]).toBe(port);
  });
});
