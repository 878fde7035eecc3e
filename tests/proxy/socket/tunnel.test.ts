/** The slower end of a WebSocket sets the pace, whatever the other one sends. */
import { expect, test } from "bun:test";
import { ENDLESS } from "../../support/proxy/in-process.ts";
import { until } from "../../support/until.ts";
import { untilStill } from "../../support/websocket/flow.ts";
import { masked, OPCODE, unmasked } from "../../support/websocket/frames.ts";
import { openRawPair } from "../../support/websocket/raw-pair.ts";

const FRAME_BYTES = 120;
/** More than two kernels keep. */
const FRAMES = 200_000;

const SENDING = (["client", "server"] as const).flatMap((from) =>
  (["text", "ping", "pong"] as const).map((what) => [from, what] as const),
);

test.each(SENDING)(
  "a %s whose %ss nobody reads is not read from, until the other end reads on",
  async (from, what) => {
    using pair = await openRawPair();
    const [sender, reader] =
      from === "client" ? [pair.client, pair.server] : [pair.server, pair.client];
    reader.pause();
    const frame = (from === "client" ? masked : unmasked)({
      opcode: OPCODE[what],
      payload: "x".repeat(FRAME_BYTES),
    });
    sender.send(frame.toString("latin1").repeat(FRAMES));
    await untilStill("no more is taken", sender.unsent);
    expect(sender.unsent()).toBeGreaterThan(0);
    reader.resume();
    await until("all is taken", () => sender.unsent() === 0, 10_000);
  },
  30_000,
);

test("a client that sends pings and does not read is not read from, until it reads on", async () => {
  using pair = await openRawPair();
  const { client } = pair;
  client.pause();
  const ping = masked({ opcode: OPCODE.ping, payload: "x".repeat(FRAME_BYTES) });
  client.send(ping.toString("latin1").repeat(FRAMES));
  await untilStill("no more is taken", client.unsent);
  expect(client.unsent()).toBeGreaterThan(0);
  client.resume();
  await until("all is taken", () => client.unsent() === 0, 10_000);
}, 30_000);

test("a container that is gone while its client does not read: its lease ends, and the client gets all, then 1011", async () => {
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
