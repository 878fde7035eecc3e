/** Ends of WebSockets that are let go of after 5 s only, since the other side does not take part. */
import { expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { untilStill } from "../support/websocket/flow.ts";
import { OPCODE, unmasked } from "../support/websocket/frames.ts";
import { openRawPair, vanished } from "../support/websocket/raw-pair.ts";

test("a server that reads nothing is let go of 5 s after its client has vanished", async () => {
  using pair = await vanished();
  await until("the lease has ended", () => pair.proxy.backend.inFlight === 0, 7_000);
}, 15_000);

test("A client that does not read, and a server that does not stop sending: both are let go of", async () => {
  using pair = await openRawPair();
  const { client, server, proxy } = pair;
  client.pause();
  const message = unmasked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
  server.send(message.toString("latin1").repeat(500));
  await untilStill("no more is taken", server.unsent);
  proxy.table.remove(proxy.backend, "cut");
  expect(proxy.backend.inFlight).toBe(0);
  // It answers no Close frame: 5 s are over then.
  await until("the server's connection is closed", server.closed, 7_000);
}, 15_000);
