import { describe, expect, test } from "bun:test";
import { ClientSockets, type SocketListener } from "../../../src/proxy/socket/client-sockets.ts";
import { converse } from "../../support/client/websocket.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { startWebSocketServer } from "../../support/server/websocket-server.ts";
import { expectNever, until } from "../../support/until.ts";
import { untilStill } from "../../support/websocket/flow.ts";
import { masked, OPCODE, unmasked } from "../../support/websocket/frames.ts";
import { openRaw, openRawPair } from "../../support/websocket/raw-pair.ts";

const ROUND_MS = 20;
/** Six silent rounds, plus the round in which the client was last heard. */
const VANISHED_MS = 7 * ROUND_MS;

/** The head of the proxy's own ping, which has 8 bytes of payload. */
const PING_HEAD = "\x89\x08";

/** Bun.serve with only a listener. */
function startSockets(message: () => void) {
  const sockets = new ClientSockets();
  const failures: unknown[] = [];
  let stops = 0;
  const ignore = (): void => undefined;
  const listener: SocketListener = {
    ...{ message, opened: ignore, drained: ignore, ping: ignore, pong: ignore, closed: ignore },
    failed: (error) => void failures.push(error),
    stop: () => {
      stops += 1;
    },
    lookForClient: ignore,
    over: Promise.resolve(),
    sent: { messages: 0, bytes: 0 },
  };
  const server = Bun.serve({
    port: 0,
    fetch: (request, own) => {
      own.upgrade(request, { data: sockets.entryOf({ ...listener }) });
    },
    websocket: sockets.handler,
  });
  return {
    sockets,
    failures,
    stops: () => stops,
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

test("ClientSockets counts and stops open WebSockets, not closed ones", async () => {
  using started = startSockets(() => undefined);
  const { sockets, url, stops } = started;
  const [first] = [await converse(url), await converse(url)];
  expect(sockets.count).toBe(2);
  first.socket.close();
  await until("it has closed", () => sockets.count === 1);
  sockets.stop();
  expect(stops()).toBe(1);
});

test("an error in a listener goes to its failed()", async () => {
  const boom = new Error("boom");
  using started = startSockets(() => {
    throw boom;
  });
  const { socket } = await converse(started.url);
  socket.send("x");
  await until("failed() is called", () => started.failures.length > 0);
  expect(started.failures).toEqual([boom]);
});

/** A client's pong with a mask of zero (RFC 6455 §5.2). */
function pong(payload: string): string {
  return `\x8a${String.fromCharCode(0x80 | payload.length)}\0\0\0\0${payload}`;
}

describe("a client", () => {
  test("that sends nothing and answers no ping has vanished after six rounds", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    const beganMs = performance.now();
    using client = await openRaw(proxy.port);
    await until("its connection is closed", () => client.closed());
    expect(performance.now() - beganMs).toBeGreaterThan(6 * ROUND_MS);
    await until("the server sees the close", () => server.closes.length === 1);
    expect(server.closes[0]?.code).toBe(1006);
  });

  test("that connects after a time without clients is found to have vanished too", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    for (let nth = 0; nth < 3; nth += 1) {
      const { socket, closed } = await converse(`${proxy.origin}/v1/realtime`);
      socket.close();
      await closed();
      await until("the server sees the close", () => server.open.size === 0);
      // A round without clients.
      await expectNever("one is open", () => server.open.size > 0, 3 * ROUND_MS);
    }
    const beganMs = performance.now();
    using client = await openRaw(proxy.port);
    await until("its connection is closed", () => client.closed());
    expect(performance.now() - beganMs).toBeGreaterThan(5 * ROUND_MS);
  });

  test("that answers pings stays connected, and its server sees none of the pongs", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    const { socket, untilMessages } = await converse(`${proxy.origin}/v1/realtime`);
    await expectNever("it ends", () => server.open.size === 0, 2 * VANISHED_MS);
    socket.send("still here");
    await untilMessages(1);
    expect(server.pongs).toEqual([]);
    socket.close();
  });

  test.each(["text", "ping", "pong"] as const)(
    "that answers no ping but sends %ss stays connected",
    async (what) => {
      using pair = await openRawPair({ sockets: { roundMs: ROUND_MS } });
      const frame = masked({ opcode: OPCODE[what], payload: "x" }).toString("latin1");
      const sending = setInterval(() => pair.client.send(frame), ROUND_MS / 2);
      await expectNever("it ends", pair.client.closed, 2 * VANISHED_MS);
      expect(pair.client.received()).toContain(PING_HEAD); // otherwise a front proxy would close the connection
      clearInterval(sending);
      await until("it has vanished", pair.client.closed);
    },
  );

  test("that sends only pongs stays connected, also while it gets messages", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    const { socket } = await converse(`${proxy.origin}/v1/realtime`);
    const sending = setInterval(() => {
      for (const open of server.open) open.send("x");
    }, ROUND_MS / 2);
    await expectNever("it ends", () => server.open.size === 0, 2 * VANISHED_MS);
    clearInterval(sending);
    socket.close();
  });

  test("from which the proxy does not read, because its server does not read, stays connected", async () => {
    using pair = await openRawPair({ sockets: { roundMs: ROUND_MS } });
    const { client, server } = pair;
    server.pause();
    const message = masked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
    client.send(message.toString("latin1").repeat(400));
    await untilStill("no more is taken", client.unsent);
    await expectNever("it ends", client.closed, 2 * VANISHED_MS);
    server.resume();
    await until("all is taken", () => client.unsent() === 0);
  });

  test("that answers no ping has vanished, even while it gets short messages", async () => {
    using pair = await openRawPair({ sockets: { roundMs: ROUND_MS } });
    const message = unmasked({ opcode: OPCODE.text, payload: "x" }).toString("latin1");
    const sending = setInterval(() => pair.server.send(message), ROUND_MS / 2);
    await until("its connection is closed", pair.client.closed);
    clearInterval(sending);
  });

  test("that reads its queue slowly stays connected, although pings reach it late", async () => {
    using pair = await openRawPair({ sockets: { roundMs: ROUND_MS } });
    const { client, server } = pair;
    const message = unmasked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
    const some = message.toString("latin1").repeat(100);
    client.pause();
    const living = setInterval(() => {
      if (server.unsent() < some.length) server.send(some);
      client.resume();
      setImmediate(client.pause);
    }, ROUND_MS);
    await expectNever("it ends", client.closed, 3 * VANISHED_MS);
    clearInterval(living);
    await until("it has vanished", server.closed);
  });

  test("may send unsolicited pongs: its server gets them, also empty ones", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin);
    using client = await openRaw(proxy.port);
    for (const payload of ["", "unasked"]) client.send(pong(payload));
    await until("both came", () => server.pongs.length === 2);
    expect(server.pongs).toEqual(["", "unasked"]);
  });

  test("that reads nothing from a long queue has vanished too", async () => {
    using server = startWebSocketServer();
    using proxy = startProxyTo(server.origin, { sockets: { roundMs: ROUND_MS } });
    using client = await openRaw(proxy.port);
    client.pause();
    const [socket] = server.open;
    socket?.sendBinary(Buffer.alloc(16 * 1024 * 1024));
    await until("the server sees the close", () => server.closes.length === 1);
    expect(proxy.backend.inFlight).toBe(0);
  });
});
