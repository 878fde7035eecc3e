import { describe, expect, test } from "bun:test";
import { type RawConnection, rawConnect } from "../../support/client/raw-http.ts";
import { converse, HANDSHAKE } from "../../support/client/websocket.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { startWebSocketServer } from "../../support/server/websocket-server.ts";
import { expectNever, until } from "../../support/until.ts";

const ROUND_MS = 20;
/** Six rounds, and the one in which it was heard last. */
const VANISHED_MS = 7 * ROUND_MS;

/** Opens a WebSocket by hand, and answers nothing by itself. */
async function openRaw(port: number): Promise<RawConnection> {
  const client = await rawConnect(port);
  const head = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}`);
  client.send(`GET /v1/realtime HTTP/1.1\r\nHost: a\r\n${head.join("\r\n")}\r\n\r\n`);
  await client.waitFor("\r\n\r\n");
  return client;
}

/** A pong of a client, whose mask is zero (RFC 6455 §5.2). */
function pong(payload: string): string {
  return `\x8a${String.fromCharCode(0x80 | payload.length)}\0\0\0\0${payload}`;
}

describe("a client", () => {
  test("that says nothing and answers no ping has vanished after six rounds", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    const beganMs = performance.now();
    using client = await openRaw(proxy.port);
    await until("its connection is closed", () => client.closed());
    expect(performance.now() - beganMs).toBeGreaterThan(6 * ROUND_MS);
    await until("the server knows", () => server.closes.length === 1);
    expect(server.closes[0]?.code).toBe(1006);
  });

  test("that answers pings lives on, and its server sees none of them", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    const { socket, untilMessages } = await converse(`${proxy.origin}/v1/realtime`);
    await expectNever("it ends", () => server.open.size === 0, 2 * VANISHED_MS);
    socket.send("still here");
    await untilMessages(1);
    expect(server.pongs).toEqual([]);
    socket.close();
  });

  test("that sends pongs unasked: its server gets them, also empty ones", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin);
    using client = await openRaw(proxy.port);
    for (const payload of ["", "unasked"]) client.send(pong(payload));
    await until("both came", () => server.pongs.length === 2);
    expect(server.pongs).toEqual(["", "unasked"]);
  });

  test("that reads nothing while much is queued for it vanishes too", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    using client = await openRaw(proxy.port);
    client.pause();
    const [socket] = server.open;
    socket?.sendBinary(Buffer.alloc(16 * 1024 * 1024));
    await until("the server knows", () => server.closes.length === 1);
    expect(proxy.backend.inFlight).toBe(0);
  });
});
