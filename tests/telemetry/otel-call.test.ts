import { describe, expect, test } from "bun:test";
import type { Backend } from "../../src/routing/backend.ts";
import type { RoutingTable } from "../../src/routing/table.ts";
import { type RawConnection, rawServer } from "../support/client/raw-http.ts";
import { chat, streamedChat } from "../support/client/requests.ts";
import type { ReceivedSpan } from "../support/collector/receiver.ts";
import { startReportingProxy } from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { type FakeBackend, fakeBackend, streamedAnswer } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

type CutBackend = { readonly table: RoutingTable; readonly backend: Backend };

const EVENT_STREAM =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const EMPTY = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

function backendOf({ origin }: FakeBackend): Backend {
  return makeBackend({ origin, name: "vllm-1" });
}

/** The calls of one request. A failed call is reported after the next call, because it waits for its reason. */
function inTurn(clients: readonly ReceivedSpan[]): readonly ReceivedSpan[] {
  const turn = ({ attributes }: ReceivedSpan): number =>
    Number(attributes["http.request.resend_count"] ?? 0);
  return clients.toSorted((a, b) => turn(a) - turn(b));
}

describe("the report of an error", () => {
  test("an unknown model is an event, and not an error of the server", async () => {
    using reporting = startReportingProxy([]);
    expect((await chat(reporting.proxy.origin, "made up")).status).toBe(404);
    const { servers, clients } = await reporting.spans();
    expect(clients).toEqual([]);
    expect(servers[0]).toMatchObject({
      attributes: {
        "error.type": "model_not_found",
        "http.response.status_code": 404,
        model: "made up",
      },
      events: [{ name: "model_not_found", attributes: { model: "made up" } }],
      status: { code: "UNSET" },
    });
  });

  test("a draining backend is an event and an error", async () => {
    const backend = makeBackend();
    using reporting = startReportingProxy([backend]);
    reporting.proxy.table.drain(backend);
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(503);
    const { servers } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "backend_draining", "http.response.status_code": 503 },
      events: [{ name: "backend_draining" }],
      status: { code: "ERROR" },
    });
  });

  test("a refused connection is an error with a retry if there is another backend", async () => {
    using backend = fakeBackend();
    const working = backendOf(backend);
    const newer = makeBackend({ name: "vllm-2" }); // no process listens on port 9
    using reporting = startReportingProxy([working, newer]);
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(200);
    const { servers, clients } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "http.response.status_code": 200, "container.name": "vllm-1" },
      events: [{ name: "retry", attributes: { reason: "connection refused" } }],
      status: { code: "UNSET" },
    });
    expect(servers[0]!.attributes).not.toHaveProperty("error.type");
    expect(inTurn(clients)).toMatchObject([
      {
        attributes: { "container.name": "vllm-2", "error.type": "connection_refused" },
        status: { code: "ERROR" },
      },
      {
        attributes: { "container.name": "vllm-1", "http.request.resend_count": 1 },
        status: { code: "UNSET" },
      },
    ]);
    for (const { parentSpanId } of clients) expect(parentSpanId).toBe(servers[0]!.spanId);
  });

  test("a refused connection without another backend is a server error", async () => {
    using reporting = startReportingProxy([makeBackend()]);
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(502);
    const { servers } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "connection_refused", "http.response.status_code": 502 },
      status: { code: "ERROR" },
    });
  });

  test("an error answer of the backend is an error of both spans; a 4xx only of the CLIENT span", async () => {
    let status = 500;
    using backend = fakeBackend(() => Response.json({}, { status }));
    using reporting = startReportingProxy([backendOf(backend)]);
    await chat(reporting.proxy.origin, "m");
    status = 400;
    await chat(reporting.proxy.origin, "m");
    const { servers, clients } = await reporting.spans();
    expect(
      clients.map(({ attributes, status: { code } }) => [attributes["error.type"], code]),
    ).toEqual([
      ["500", "ERROR"],
      ["400", "ERROR"],
    ]);
    expect(
      servers.map(({ attributes, status: { code } }) => [attributes["error.type"], code]),
    ).toEqual([
      ["500", "ERROR"],
      [undefined, "UNSET"],
    ]);
  });

  test("a client that leaves during a stream is an error that says how far the stream got", async () => {
    const answer = streamedAnswer({ headers: { "content-type": "text/event-stream" } });
    using backend = fakeBackend(() => answer.response);
    using reporting = startReportingProxy([backendOf(backend)]);
    answer.send("data: {}\n\n");
    const stream = await streamedChat(reporting.proxy.origin, "m");
    stream.cancel();
    await until("the request is over", () => reporting.proxy.keptOpen() === 0);
    const { servers, clients } = await reporting.spans();
    for (const span of [servers[0]!, clients[0]!]) {
      expect(span.attributes["error.type"]).toBe("client_gone");
      expect(span.status.code).toBe("ERROR");
      expect(span.status.message).toMatch(/^after 10 bytes and \d+ ms/);
    }
    expect(servers[0]!.events).toMatchObject([{ name: "client_gone", attributes: { bytes: 10 } }]);
  });

  test("a client that leaves before its answer is an error with status 499", async () => {
    const never = Promise.withResolvers<Response>();
    using backend = fakeBackend(() => never.promise);
    using reporting = startReportingProxy([backendOf(backend)]);
    const abort = new AbortController();
    const request = fetch(`${reporting.proxy.origin}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m"}',
      signal: abort.signal,
    }).catch(() => undefined);
    await until("the backend has the request", () => backend.received.length === 1);
    abort.abort();
    await request;
    await until("the request is over", () => reporting.proxy.keptOpen() === 0);
    await Bun.sleep(0); // the answer that the client does not get
    const { servers, clients } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "client_gone", "http.response.status_code": 499 },
      status: { code: "ERROR" },
    });
    expect(clients[0]!.attributes["error.type"]).toBe("client_gone");
  });

  test.each([
    ["breaks off", "upstream_broken_off", (raw: RawConnection) => raw.reset()],
    [
      "exceeds the drain timeout",
      "drain_timeout",
      (_raw: RawConnection, { table, backend }: CutBackend) => table.remove(backend, "cut"),
    ],
  ])(
    "a backend that %s during its answer is an error that says how far the answer got",
    async (_what, word, breakOff) => {
      using upstream = await rawServer();
      const backend = makeBackend({ origin: upstream.origin });
      using reporting = startReportingProxy([backend]);
      const stream = streamedChat(reporting.proxy.origin, "m");
      const connection = await upstream.request();
      connection.send(`${EVENT_STREAM}a\r\ndata: {}\n\n\r\n`);
      const { end } = await stream;
      breakOff(connection, { table: reporting.proxy.table, backend });
      expect(await end).toStartWith("broken off");
      const { servers, clients } = await reporting.spans();
      for (const span of [servers[0]!, clients[0]!]) {
        expect(span.attributes).toMatchObject({
          "error.type": word,
          "http.response.status_code": 200,
        });
        expect(span.status.code).toBe("ERROR");
        expect(span.status.message).toMatch(/^after 10 bytes and \d+ ms: ./);
      }
      expect(servers[0]!.events).toMatchObject([{ name: word, attributes: { bytes: 10 } }]);
      expect(servers[0]!.events[0]!.attributes["ms"]).toBeNumber();
    },
  );

  test("a connection that the server is closing is a retry", async () => {
    using upstream = await rawServer();
    using reporting = startReportingProxy([makeBackend({ origin: upstream.origin })]);
    const first = chat(reporting.proxy.origin, "m");
    const connection = await upstream.request();
    connection.send(EMPTY);
    await (await first).bytes();
    const second = chat(reporting.proxy.origin, "m");
    await until(
      "the second request is there",
      () => connection.received().split("POST ").length === 3,
    );
    connection.reset();
    (await upstream.request(1)).send(EMPTY);
    expect((await second).status).toBe(200);
    const { servers, clients } = await reporting.spans();
    expect(servers[1]!.events).toMatchObject([
      { name: "retry", attributes: { reason: "stale connection" } },
    ]);
    expect(servers[1]!.attributes).not.toHaveProperty("error.type");
    const ofSecond = clients.filter(({ parentSpanId }) => parentSpanId === servers[1]!.spanId);
    expect(inTurn(ofSecond)).toMatchObject([
      { attributes: { "error.type": "connection_reset" }, parentSpanId: servers[1]!.spanId },
      { attributes: { "http.request.resend_count": 1 }, parentSpanId: servers[1]!.spanId },
    ]);
  });

  test("a bug in the proxy is an error with status 500", async () => {
    using reporting = startReportingProxy([]);
    reporting.proxy.table.find = () => {
      throw new Error("a bug");
    };
    expect((await chat(reporting.proxy.origin, "m")).status).toBe(500);
    const { servers } = await reporting.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "internal_error", "http.response.status_code": 500 },
      status: { code: "ERROR" },
    });
  });
});
