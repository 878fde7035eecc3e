/** What the compiled binary reports about WebSockets: in its metrics, in traces, and in its log. */
import { describe, expect, test } from "bun:test";
import {
  connect,
  HEARD,
  PARENT_ID,
  SAID,
  startRun,
  TRACE_ID,
} from "../../support/proxy/compiled-websocket-telemetry.ts";
import { until } from "../../support/until.ts";

describe("a WebSocket", () => {
  test("has its duration in the metrics and its counts in traces; no report contains its messages", async () => {
    await using run = await startRun();
    const { socket, heard, closed } = await run.open();
    for (let n = 0; n < 3; n += 1) socket.send(SAID);
    await until("all messages are answered", () => heard.length === 3);
    const during = await run.metrics();
    expect(during).toMatch(/^proxy_websockets_active\{model="m",.*\} 1$/m);
    expect(during).toMatch(/^proxy_backend_inflight\{model="m",.*\} 1$/m);
    expect(during).not.toContain("proxy_requests_total{");
    socket.close(1000, "that was all");
    await closed;
    await until("the metrics count it", async () =>
      /^proxy_requests_total\{model="m",status_code="101",.*\} 1$/m.test(await run.metrics()),
    );
    const after = await run.metrics();
    expect(after).toMatch(/^proxy_websockets_active\{model="m",.*\} 0$/m);
    expect(after).toMatch(/^proxy_backend_inflight\{model="m",.*\} 0$/m);
    expect(after).not.toContain("proxy_request_duration_count{");
    const { servers, clients, text } = await run.spans();
    expect([servers.length, clients.length]).toEqual([1, 1]);
    expect(servers[0]).toMatchObject({
      name: "GET /v1/realtime",
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
      status: { code: "UNSET" },
      events: [],
      attributes: {
        model: "m",
        "container.name": "server-1",
        "http.response.status_code": 101,
        "http.route": "/v1/realtime",
        "proxy.websocket.client.messages": 3,
        "proxy.websocket.client.bytes": 3 * SAID.length,
        "proxy.websocket.server.messages": 3,
        "proxy.websocket.server.bytes": 3 * HEARD.length,
        "proxy.websocket.close_code": 1000,
      },
    });
    expect(clients[0]).toMatchObject({
      name: "GET /v1/realtime",
      parentSpanId: servers[0]!.spanId,
      status: { code: "UNSET" },
      attributes: { "http.response.status_code": 101 },
    });
    expect(clients[0]!.endMs).toBeLessThan(servers[0]!.endMs);
    expect(run.server.traceparents).toEqual([`00-${TRACE_ID}-${clients[0]!.spanId}-01`]);
    for (const secret of [SAID, HEARD, "that was all"]) expect(text).not.toContain(secret);
  });

  test("whose handshake the server refuses is reported as an answer", async () => {
    await using run = await startRun();
    await connect(run.proxy.origin, "wrong").closed;
    await until("the metrics count it", async () =>
      /^proxy_requests_total\{model="m",status_code="403",.*\} 1$/m.test(await run.metrics()),
    );
    expect(await run.metrics()).not.toContain("proxy_websockets_active{");
    const { servers, clients } = await run.spans();
    for (const { attributes } of [...servers, ...clients]) {
      expect(attributes["http.response.status_code"]).toBe(403);
      expect(attributes).not.toHaveProperty("proxy.websocket.close_code");
    }
  });
});

describe("the report of an abnormal end", () => {
  test("says that the client left during the handshake", async () => {
    await using run = await startRun();
    const { socket } = connect(run.proxy.origin, "slow");
    await until("the server has the handshake", () => run.server.pending.length === 1);
    expect(await run.metrics()).toMatch(/^proxy_backend_inflight\{model="m",.*\} 1$/m);
    socket.terminate();
    await until("the WebSocket is no longer in flight", async () =>
      /^proxy_backend_inflight\{model="m",.*\} 0$/m.test(await run.metrics()),
    );
    expect(await run.metrics()).not.toContain("proxy_websockets_active{");
    const { servers, clients } = await run.spans();
    expect([servers.length, clients.length]).toEqual([1, 1]);
    expect(servers[0]!.attributes).toMatchObject({
      "error.type": "client_gone",
      "http.response.status_code": 499,
    });
    expect(clients[0]!.attributes["error.type"]).toBe("client_gone");
  });

  test("says that the client left without a Close frame", async () => {
    await using run = await startRun();
    const { socket } = await run.open();
    socket.terminate();
    await until("the server sees the end", () => run.server.open.size === 0);
    const { servers } = await run.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "client_gone", "proxy.websocket.close_code": 1006 },
      status: { code: "ERROR" },
      events: [{ name: "client_gone" }],
    });
    expect(run.proxy.logged("websockets broken off")).toBe(false);
  });

  test("says that the server closed the connection and still runs", async () => {
    await using run = await startRun();
    const { closed } = await run.open();
    for (const socket of run.server.open) socket.terminate();
    expect(await closed).toBe(1006);
    await until("the log reports it", () => run.proxy.logged("websockets broken off"));
    const { servers, clients } = await run.spans();
    expect(servers[0]!.attributes).toMatchObject({ "error.type": "upstream_broken_off" });
    expect(servers[0]!.attributes).not.toHaveProperty("proxy.error");
    expect(servers[0]!.events).toMatchObject([
      {
        name: "upstream_broken_off",
        attributes: { messages: 0, reason: "the server closed the connection" },
      },
    ]);
    expect(clients[0]!.status.code).toBe("UNSET");
  });

  test("says that the container ended, although the engine reports that later than the connection breaks", async () => {
    await using run = await startRun();
    const clients = [await run.open(), await run.open()];
    for (const socket of run.server.open) socket.terminate();
    await Bun.sleep(100); // as an engine does
    run.engine.exit(run.container, 1);
    for (const { closed } of clients) expect(await closed).toBe(1011);
    await until("the log reports it", () => run.proxy.logged("websockets broken off"));
    const lines = run.proxy.log().filter(({ message }) => message === "websockets broken off");
    expect(lines).toMatchObject([{ container: "server-1", model: "m", websockets: 2 }]);
    expect(String(lines[0]!["reason"])).toMatch(
      /^its container .+ [\d.]+ s into the longest of the connections/,
    );
    const { servers } = await run.spans();
    expect(servers).toHaveLength(2);
    for (const { attributes, status } of servers) {
      expect(attributes).toMatchObject({
        "error.type": "container_exit",
        "proxy.error": "upstream_broken_off",
      });
      expect(status.message).toMatch(/^after 0 messages and \d+ ms: its container /);
    }
  });

  test("says that the server was stopped and the drain timeout expired", async () => {
    await using run = await startRun({ PROXY_DRAIN_TIMEOUT: "200ms" });
    const { closed } = await run.open();
    run.engine.kill(run.container);
    expect(await closed).toBe(1012);
    await until("the log reports it", () => run.proxy.logged("websockets broken off"));
    expect(run.proxy.logged("the drain timeout of 0.2 s expired")).toBe(true);
    const { servers } = await run.spans();
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "drain_timeout", "proxy.websocket.close_code": 1012 },
      status: { code: "ERROR" },
      events: [{ name: "drain_timeout" }],
    });
  });

  test("says that the proxy was stopped and the drain timeout expired", async () => {
    await using run = await startRun({ PROXY_DRAIN_TIMEOUT: "200ms" });
    const { closed } = await run.open();
    const { servers } = await run.spans();
    expect(await closed).toBe(1012);
    expect(servers[0]).toMatchObject({
      attributes: { "error.type": "drain_timeout", "proxy.websocket.close_code": 1012 },
      status: { code: "ERROR" },
    });
    expect(run.proxy.logged("websockets broken off")).toBe(true);
  });
});
