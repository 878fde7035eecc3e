/** Shows that the slower end of a WebSocket sets the pace. */
import { expect } from "bun:test";
import type { RawConnection } from "../client/raw-http.ts";
import { until } from "../until.ts";
import { untilStill } from "./flow.ts";
import { masked, OPCODE, unmasked } from "./frames.ts";
import { openRawPair } from "./raw-pair.ts";

const FRAME_BYTES = 120;
/** More than two kernels keep. */
const FRAMES = 200_000;

/** @param reader whose reading the sender depends on: the other end; or the sender itself, of the answers to its pings */
async function expectPaced(
  sender: RawConnection,
  reader: RawConnection,
  frame: Buffer,
): Promise<void> {
  reader.pause();
  sender.send(frame.toString("latin1").repeat(FRAMES));
  await untilStill("no more is taken", sender.unsent);
  expect(sender.unsent()).toBeGreaterThan(0);
  reader.resume();
  await until("all is taken", () => sender.unsent() === 0, 10_000);
}

/** Nobody reads what `from` sends: so it is not read from, until the other end reads on. */
export async function expectReaderSetsPace(
  from: "client" | "server",
  what: keyof typeof OPCODE,
): Promise<void> {
  using pair = await openRawPair();
  const [sender, reader] =
    from === "client" ? [pair.client, pair.server] : [pair.server, pair.client];
  const encode = from === "client" ? masked : unmasked;
  const frame = encode({ opcode: OPCODE[what], payload: "x".repeat(FRAME_BYTES) });
  await expectPaced(sender, reader, frame);
}

/** A client that does not read the answers to its pings is not read from, until it does. */
export async function expectUnreadPongsSetPace(): Promise<void> {
  using pair = await openRawPair();
  const ping = masked({ opcode: OPCODE.ping, payload: "x".repeat(FRAME_BYTES) });
  await expectPaced(pair.client, pair.client, ping);
}
