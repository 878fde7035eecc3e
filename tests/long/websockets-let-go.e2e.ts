/** WebSockets that the proxy gives up 5 s after their end, because the other side does not close. */
import { expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { untilStill } from "../support/websocket/flow.ts";
import { OPCODE, unmasked } from "../support/websocket/frames.ts";
import { openRawPair, vanished } from "../support/websocket/raw-pair.ts";

test("the proxy gives up a server that reads nothing 5 s after its client has vanished", async () => {
  using pair = await vanished();
  await until("the lease has ended", () => pair.proxy.backend.inFlight === 0, 7_000);
}, 15_000);

test("the proxy gives up a client that does not read and a server that does not stop sending", async () => {
  using pair = await openRawPair();
  const { client, server, proxy } = pair;
  client.pause();
  const message = unmasked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
  server.send(message.toString("latin1").repeat(500));
  await untilStill("the proxy takes no more bytes", server.unsent);
  proxy.table.remove(proxy.backend, "cut");
  expect(proxy.backend.inFlight).toBe(0);
  // The client answers no Close frame, so the proxy waits 5 s.
  await until("the server's connection is closed", server.closed, 7_000);
}, 15_000);
