import { expect, test } from "bun:test";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { startWebSocketServer } from "../../support/server/websocket-server.ts";
import { until } from "../../support/until.ts";
import { masked, OPCODE, unmasked } from "../../support/websocket/frames.ts";
import { openRaw, openRawPair, vanished } from "../../support/websocket/raw-pair.ts";

/** More than the kernel buffers hold, so the proxy stops reading in between. */
const MESSAGES = 200;
const MESSAGE = masked({ opcode: OPCODE.binary, payload: Buffer.alloc(100_000) });

/** Takes 3 ms for each message. */
function slowly(socket: Bun.ServerWebSocket<unknown>): void {
  socket.pause();
  setTimeout(() => socket.resume(), 3);
}

test.each<[what: string, last: Buffer]>([
  ["breaks the protocol", Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
  ["sends a Close frame", masked({ opcode: OPCODE.close, payload: Buffer.alloc(0) })],
])("the server gets all messages that a client sends before it %s", async (_what, last) => {
  using server = startWebSocketServer({ onMessage: slowly });
  using proxy = startProxyTo(server.origin);
  using client = await openRaw(proxy.port);
  const [socket] = server.open;
  socket?.pause();
  const all = Buffer.concat([...Array.from({ length: MESSAGES }, () => MESSAGE), last]);
  client.send(all.toString("latin1"));
  await until("the proxy has stopped reading", () => client.unsent() > 0);
  socket?.resume();
  await until("the server has seen the end", () => server.closes.length === 1);
  expect(server.messages.length).toBe(MESSAGES);
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
});

function pongs(payloads: readonly string[]): string {
  const frames = payloads.map((payload) => unmasked({ opcode: OPCODE.pong, payload }));
  return Buffer.concat(frames).toString("latin1");
}

test("a server's pong goes to the client, except if it answers a ping that is still unanswered", async () => {
  using pair = await openRawPair();
  const { client, server } = pair;
  const opened = client.received().length;
  const ping = (payload: string): void => {
    client.send(masked({ opcode: OPCODE.ping, payload }).toString("latin1"));
  };
  for (const payload of ["a", "b", "c"]) ping(payload);
  await client.waitFor(pongs(["c"])); // from Bun
  server.send(pongs(["a", "b", "c", "unasked"]));
  await client.waitFor(pongs(["unasked"]));
  for (const payload of ["d", "e"]) ping(payload);
  await client.waitFor(pongs(["e"]));
  server.send(pongs(["e", "d"])); // the first pong answers both pings (RFC 6455 §5.5.3)
  const all = pongs(["a", "b", "c", "unasked", "d", "e", "d"]);
  await until("all have come", () => client.received().length >= opened + all.length);
  expect(client.received().slice(opened)).toBe(all);
});

test("a server that resumes reading gets the last bytes of a vanished client, and then the end at once", async () => {
  using pair = await vanished();
  const { server, proxy } = pair;
  const had = server.received().length;
  server.resume();
  await until("the server's connection is closed", server.closed, 2_500);
  expect(server.received().length).toBeGreaterThan(had + 1_000_000);
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
});
