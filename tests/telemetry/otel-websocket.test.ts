/** The spans of a WebSocket: the handshake, its whole life, and each way to end. */
import { describe, expect, test } from "bun:test";
import type { RunEnd } from "../../src/routing/run.ts";
import type { SocketEnd } from "../../src/telemetry/telemetry.ts";
import type { ReceivedSpan } from "../support/collector/receiver.ts";
import { ABRUPT, handshake, NORMAL, RESET } from "../support/proxy/reported-websocket.ts";
import { scraped, startTestTelemetry, type TestTelemetry } from "../support/proxy/reporting.ts";

type Spans = { readonly server: ReceivedSpan; readonly client: ReceivedSpan };

/** Sends all data and ends the telemetry. */
async function spansOf({ telemetry, receiver }: TestTelemetry): Promise<Spans> {
  await telemetry.shutdown();
  const { spans } = receiver;
  expect(spans.map(({ kind }) => kind).toSorted()).toEqual(["CLIENT", "SERVER"]);
  const of = (kind: string): ReceivedSpan => spans.find((span) => span.kind === kind)!;
  return { server: of("SERVER"), client: of("CLIENT") };
}

describe("the spans of a WebSocket", () => {
  test("are a CLIENT span for its handshake and a SERVER span for its whole life", async () => {
    using test_ = startTestTelemetry();
    const { call } = handshake(test_.telemetry);
    const ended = call.upgraded();
    await Bun.sleep(60); // the SERVER span must be this much longer
    ended(NORMAL, undefined);
    const { server, client } = await spansOf(test_);
    expect([server.name, client.name]).toEqual(["GET /v1/realtime", "GET /v1/realtime"]);
    expect(client.parentSpanId).toBe(server.spanId);
    expect(server.endMs - client.endMs).toBeGreaterThan(55);
    expect(client.endMs - client.startMs).toBeLessThan(55);
    expect(server).toMatchObject({ events: [], status: { code: "UNSET" } });
    expect(client).toMatchObject({ events: [], status: { code: "UNSET" } });
    expect(server.attributes).toEqual({
      model: "m",
      backend_url: "http://10.0.0.1:8000/v1",
      "container.name": "vllm-1",
      "http.method": "GET",
      "http.status_code": 101,
      streaming: false,
      "http.request.method": "GET",
      "http.response.status_code": 101,
      "http.route": "/v1/realtime",
      "url.path": "/v1/realtime",
      "url.scheme": "http",
      "gen_ai.request.model": "m",
      "proxy.websocket.client.messages": 3,
      "proxy.websocket.client.bytes": 900,
      "proxy.websocket.server.messages": 40,
      "proxy.websocket.server.bytes": 65_536,
      "proxy.websocket.close_code": 1000,
    });
    expect(client.attributes).toEqual({
      backend_url: "http://10.0.0.1:8000/v1",
      "container.name": "vllm-1",
      "http.request.method": "GET",
      "http.response.status_code": 101,
      "server.address": "10.0.0.1",
      "server.port": 8000,
      "gen_ai.request.model": "m",
    });
  });

  test("are not an operation of generative AI, even on a path whose POST is one", async () => {
    using test_ = startTestTelemetry();
    handshake(test_.telemetry, "/v1/responses").call.upgraded()(NORMAL, undefined);
    const { server, client } = await spansOf(test_);
    for (const { name, attributes } of [server, client]) {
      expect(name).toBe("GET /v1/responses");
      expect(attributes).not.toHaveProperty("gen_ai.operation.name");
      expect(attributes).not.toHaveProperty("gen_ai.provider.name");
    }
  });

  test.each<
    [how: string, end: Partial<SocketEnd>, abortReason: string | undefined, told: readonly string[]]
  >([
    [
      "its server broke off",
      { error: RESET },
      undefined,
      ["upstream_broken_off", "the server closed the connection"],
    ],
    [
      "its server is no longer reachable",
      {},
      "run-over",
      ["upstream_broken_off", "the server stopped or is no longer reachable"],
    ],
    [
      "its server sent an invalid frame",
      { error: new Error("RSV1 must be clear") },
      undefined,
      ["upstream_broken_off", "the request failed (Error)"],
    ],
    [
      "the drain timeout expired",
      { closeCode: 1012 },
      "cut",
      ["drain_timeout", "the drain timeout expired"],
    ],
    [
      "its client left without a Close frame",
      { cancelled: true, error: RESET },
      undefined,
      ["client_gone", "client gone"],
    ],
    [
      "its client left, and then its server",
      { error: RESET },
      "client gone",
      ["client_gone", "client gone"],
    ],
  ])("name the error when %s", async (_how, but, abortReason, [word = "", reason]) => {
    using test_ = startTestTelemetry();
    const { call } = handshake(test_.telemetry);
    const end = { ...ABRUPT, ...but };
    call.upgraded()(end, abortReason);
    const { server, client } = await spansOf(test_);
    expect(server.attributes).toMatchObject({
      "error.type": word,
      "http.response.status_code": 101,
      "proxy.websocket.close_code": end.closeCode,
      "proxy.websocket.server.messages": 40,
    });
    expect(server.attributes).not.toHaveProperty("proxy.error");
    expect(server.status.code).toBe("ERROR");
    const [, ms, ended] =
      /^after 43 messages and (\d+) ms: (.*)$/.exec(server.status.message) ?? [];
    expect(ended).toBe(reason);
    const event = { messages: 43, ms: Number(ms), reason };
    expect(server.events).toEqual([{ name: word, attributes: event }]);
    expect(client.attributes).not.toHaveProperty("error.type");
    expect(client.status.code).toBe("UNSET");
  });

  test.each<[kind: RunEnd["kind"], word: string]>([
    ["out of memory", "container_oom"],
    ["exited", "container_exit"],
    ["killed", "container_exit"],
    ["stopped", "container_exit"],
  ])("wait until the proxy knows how its container ended: %s", async (kind, word) => {
    using test_ = startTestTelemetry();
    const { call, ending } = handshake(test_.telemetry);
    call.upgraded()({ ...ABRUPT, error: RESET }, undefined);
    const endedMs = Date.now();
    await Bun.sleep(50); // the delay of the engine
    ending.ended({ kind, brief: "went", reason: "went (exit code 137)" });
    const { server } = await spansOf(test_);
    expect(server.attributes).toMatchObject({
      "error.type": word,
      "proxy.error": "upstream_broken_off",
      "proxy.websocket.close_code": 1006,
    });
    expect(server.status.message).toMatch(
      /^after 43 messages and \d+ ms: its container went \(exit code 137\)$/,
    );
    expect(server.endMs).toBeLessThan(endedMs + 25);
  });

  test.each<[how: string, end: SocketEnd, abortReason: string | undefined]>([
    ["a normal end", NORMAL, undefined],
    ["a drain timeout", { ...ABRUPT, error: RESET }, "cut"],
    ["a client that left", { ...ABRUPT, error: RESET, cancelled: true }, undefined],
  ])("do not blame the end of its container for %s", async (_what, end, abortReason) => {
    using test_ = startTestTelemetry();
    const { call, ending } = handshake(test_.telemetry);
    ending.ended({ kind: "stopped", brief: "went", reason: "went" });
    call.upgraded()(end, abortReason);
    const { server } = await spansOf(test_);
    expect(server.attributes["error.type"]).not.toBe("container_exit");
    expect(server.status.message).not.toContain("its container");
  });

  test("of a refused handshake are the same as for any answer", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const { call } = handshake(test_.telemetry);
    call.answered(new Response("no", { status: 403 }));
    call.ended({ bytes: 2 }, undefined);
    call.upgraded()(NORMAL, undefined);
    expect(await scraped(test_.telemetry, "proxy_websockets_active")).toEqual([]);
    expect(await scraped(test_.telemetry, "proxy_request_duration_count")).toEqual([
      '{model="m"} 1',
    ]);
    const { server, client } = await spansOf(test_);
    for (const { attributes } of [server, client]) {
      expect(attributes["http.response.status_code"]).toBe(403);
      expect(attributes).not.toHaveProperty("proxy.websocket.close_code");
    }
  });
});
