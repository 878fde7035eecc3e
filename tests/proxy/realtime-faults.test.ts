import { expect, test } from "bun:test";
import { BrokenAnswers } from "../../src/proxy/broken-answers.ts";
import { createHandler } from "../../src/proxy/handler.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { startServer } from "../../src/server.ts";
import { NO_REPORT, NO_TELEMETRY, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { converse, HANDSHAKE, refusedHandshake } from "../support/client/websocket.ts";
import { clientWith } from "../support/proxy/client-with.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { makeBackend } from "../support/server/backends.ts";
import { startWebSocketServer } from "../support/server/websocket-server.ts";
import { until } from "../support/until.ts";

/** A report that throws when a WebSocket is reported. */
function throwing(upgraded: () => () => void): Telemetry {
  const request = (): typeof NO_REPORT => ({
    ...NO_REPORT,
    call: (backend) => ({ ...NO_REPORT.call(backend), upgraded }),
  });
  return { ...NO_TELEMETRY, request };
}

function boom(): never {
  throw new Error("boom");
}

test("a client that has gone before the 101: the proxy leaves the server, asks no other one, and logs nothing", async () => {
  using server = startWebSocketServer();
  const backends = [0, 1].map((rank) =>
    makeBackend({ origin: server.origin, rank, isReplica: true }),
  );
  const table = new RoutingTable();
  for (const backend of backends) table.admit(backend);
  const log = memoryLog();
  const brokenAnswers = new BrokenAnswers({ log });
  const handle = createHandler({ routes: table, log, isReady: () => true, brokenAnswers });
  const proxy = startServer({
    port: 0,
    log,
    handler: (request, client) => handle(request, clientWith(client, { upgrade: () => false })),
  });
  const { status } = await refusedHandshake(`http://127.0.0.1:${proxy.port}/v1/realtime`);
  await until("the server sees the end", () => server.closes.length > 0);
  brokenAnswers.flush();
  expect(status).toBe(499);
  expect(server.closes.map(({ code }) => code)).toEqual([1006]);
  expect(backends.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  expect(log.lines).toEqual([]);
  await proxy.stop(0);
});

test("a client that has gone before its server is asked: the proxy asks no server", async () => {
  using server = startWebSocketServer();
  const backend = makeBackend({ origin: server.origin });
  const table = new RoutingTable();
  table.admit(backend);
  const handle = createHandler({ routes: table, log: memoryLog(), isReady: () => true });
  const ignore = (): void => undefined;
  const client = { address: undefined, expect: ignore, keepOpen: ignore, release: ignore };
  const request = new Request("http://a/v1/realtime", {
    headers: HANDSHAKE,
    signal: AbortSignal.abort(),
  });
  const answer = await handle(request, { ...client, upgrade: () => false });
  expect([answer?.status, backend.inFlight, server.requests.length]).toEqual([499, 0, 0]);
});

test("a bug of ours at the opening ends the WebSocket", async () => {
  using server = startWebSocketServer();
  using proxy = startProxyTo(server.origin, { telemetry: throwing(boom) });
  const closed = converse(`${proxy.origin}/v1/realtime`).then(({ closed: end }) => end());
  await Promise.allSettled([closed]);
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
  await until("it is logged", () => proxy.log.lines.length > 0);
  expect(proxy.log.lines[0]?.level).toBe("error");
});

test("a bug of ours at the end closes both ends, and is reported as a bug", async () => {
  using server = startWebSocketServer();
  using proxy = startProxyTo(server.origin, { telemetry: throwing(() => boom) });
  const client = await converse(`${proxy.origin}/v1/realtime`);
  client.socket.close(4000);
  await client.closed();
  await until("it is logged", () => proxy.log.lines.length > 0);
  expect(proxy.log.lines[0]?.level).toBe("error");
  expect(JSON.stringify(proxy.log.lines[0])).toContain("internal error");
  await until("the server sees the end", () => server.open.size === 0);
  expect(proxy.backend.inFlight).toBe(0);
});

test.each([
  [
    "a wrong Sec-WebSocket-Accept",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x",
    "the server's answer does not open a WebSocket",
  ],
  ["no Upgrade", "Connection: Upgrade", "the server answered with status 101"],
])("a 101 with %s becomes a 502", async (_what, head, reason) => {
  using server = await rawServer();
  using proxy = startProxyTo(server.origin);
  const answer = refusedHandshake(`${proxy.origin}/v1/realtime`);
  const connection = await server.request();
  connection.send(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n\r\n`);
  expect((await answer).status).toBe(502);
  await until("it is logged", () => proxy.log.lines.length === 1);
  expect(proxy.log.lines[0]).toMatchObject({ level: "warn", requests: 1, reason });
});

test.each([
  "HTTP/1.1 700 What\r\n\r\n",
  "no HTTP\r\n\r\n",
  "HTTP/1.1 401 No\r\nX: a\u0001b\r\n\r\n",
])(
  "an answer that cannot be passed on becomes a 502, or loses the bad header: %j",
  async (text) => {
    using server = await rawServer();
    using proxy = startProxyTo(server.origin);
    const answer = refusedHandshake(`${proxy.origin}/v1/realtime`);
    const connection = await server.request();
    connection.send(text);
    connection.end();
    expect([502, 401]).toContain((await answer).status);
    await until("the lease has ended", () => proxy.backend.inFlight === 0);
  },
);

test("a server that breaks off before its answer causes a 502", async () => {
  using server = await rawServer();
  using proxy = startProxyTo(server.origin);
  const answer = refusedHandshake(`${proxy.origin}/v1/realtime`);
  (await server.request()).reset();
  expect((await answer).status).toBe(502);
  expect(server.connections.length).toBe(1);
});

test("a server that breaks off after a request on a kept connection is not asked twice", async () => {
  using server = await rawServer();
  using proxy = startProxyTo(server.origin);
  using client = await rawConnect(proxy.port);
  client.send(rawRequest());
  const kept = await server.request(0);
  kept.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  await client.waitFor("{}");
  const answer = refusedHandshake(`${proxy.origin}/v1/realtime`);
  (await server.request(1)).reset();
  expect((await answer).status).toBe(502);
  expect(server.connections.length).toBe(2);
});
