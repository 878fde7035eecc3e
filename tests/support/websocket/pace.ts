/** Shows that the slower end of a WebSocket sets the pace. */
import { expect } from "bun:test";
import type { RawConnection } from "../client/raw-http.ts";
import { until } from "../until.ts";
import { untilStill } from "./flow.ts";
import { masked, OPCODE, unmasked } from "./frames.ts";
import { openRawPair } from "./raw-pair.ts";

const FRAME_BYTES = 120;
/** More than two kernels buffer. */
const FRAMES = 200_000;

/**
 * @param reader must read before the sender can go on: the other end, or the sender itself for the answers to
 * its pings
 */
async function expectPaced(
  sender: RawConnection,
  reader: RawConnection,
  frame: Buffer,
): Promise<void> {
  reader.pause();
  sender.send(frame.toString("latin1").repeat(FRAMES));
  await untilStill("the socket takes no more", sender.unsent);
  expect(sender.unsent()).toBeGreaterThan(0);
  reader.resume();
  await until("the socket has taken all bytes", () => sender.unsent() === 0, 10_000);
}

/** While one end does not read, the proxy stops reading from the other end. */
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

/** While a client does not read the answers to its pings, the proxy stops reading from it. */
export async function expectUnreadPongsSetPace(): Promise<void> {
  using pair = await openRawPair();
  const ping = masked({ opcode: OPCODE.ping, payload: "x".repeat(FRAME_BYTES) });
  await expectPaced(pair.client, pair.client, ping);
}
