import { expect, test } from "bun:test";
import { rawConnect } from "../../support/client/raw-http.ts";
import { HANDSHAKE } from "../../support/client/websocket.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { startWebSocketServer } from "../../support/server/websocket-server.ts";
import { until } from "../../support/until.ts";
import { masked, OPCODE } from "../../support/websocket/frames.ts";

/** More than the kernel keeps, in messages of which some wait when the last one is read. */
const MESSAGES = 200;
const MESSAGE = masked({ opcode: OPCODE.binary, payload: Buffer.alloc(100_000) });

/** Takes a message in 3 ms. */
function slowly(socket: Bun.ServerWebSocket<unknown>): void {
  socket.pause();
  setTimeout(() => socket.resume(), 3);
}

test.each<[what: string, last: Buffer]>([
  ["breaks the protocol", Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
  ["sends a Close frame", masked({ opcode: OPCODE.close, payload: Buffer.alloc(0) })],
])("the server gets all that a client has sent before it %s", async (_what, last) => {
  using server = startWebSocketServer({ onMessage: slowly });
  using proxy = startProxyTo(server.origin);
  using client = await rawConnect(proxy.port);
  const head = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}`);
  client.send(`GET /v1/realtime HTTP/1.1\r\nHost: a\r\n${head.join("\r\n")}\r\n\r\n`);
  await client.waitFor("\r\n\r\n");
  const [socket] = server.open;
  socket?.pause();
  const all = Buffer.concat([...Array.from({ length: MESSAGES }, () => MESSAGE), last]);
  client.send(all.toString("latin1"));
  await until("the proxy has stopped reading", () => client.unsent() > 0);
  socket?.resume();
  await until("the server knows", () => server.closes.length === 1);
  expect(server.messages.length).toBe(MESSAGES);
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
});
