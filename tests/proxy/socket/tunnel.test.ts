/** The slower end of a WebSocket sets the pace for the other end. */
import { expect, test } from "bun:test";
import { ENDLESS } from "../../support/proxy/in-process.ts";
import { until } from "../../support/until.ts";
import { untilStill } from "../../support/websocket/flow.ts";
import { OPCODE, unmasked } from "../../support/websocket/frames.ts";
import { expectReaderSetsPace } from "../../support/websocket/pace.ts";
import { openRawPair } from "../../support/websocket/raw-pair.ts";

test.each(["client", "server"] as const)(
  "the proxy stops reading texts from a %s until the other end reads on",
  (from) => expectReaderSetsPace(from, "text"),
  30_000,
);

test("if a run ends while the client does not read, the lease ends, and the client later gets all, then 1011", async () => {
  const MESSAGES = 300;
  using pair = await openRawPair({ patience: { ...ENDLESS, socketMs: 200 } });
  const { client, server, proxy } = pair;
  const message = unmasked({ opcode: OPCODE.binary, payload: Buffer.alloc(60_000) });
  const opened = client.received().length;
  client.pause();
  server.send(message.toString("latin1").repeat(MESSAGES));
  await untilStill("no more is taken", server.unsent);
  proxy.table.remove(proxy.backend, "run-over");
  await until("its lease has ended", () => proxy.backend.inFlight === 0);
  client.resume();
  await client.waitFor("the server is gone");
  expect(client.received().length - opened).toBeGreaterThan(MESSAGES * message.length);
});
