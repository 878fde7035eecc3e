/** When the events of paced streams were sent. Reads the time in each event and nothing else. */
import type { Socket } from "bun";

const STAMP = '"sentMs":"';
const STAMP_DIGITS = 17;

/** The end of a piece that cut an event before the end of its time. */
export type Stream = { rest: string };

/**
 * Takes a piece of a stream.
 *
 * @param late gets the delay of each event in the piece, ms
 */
export function readStamps(
  { data }: Socket<Stream>,
  bytes: Buffer,
  late: (delayMs: number) => void,
): void {
  const nowMs = performance.timeOrigin + performance.now();
  const text = data.rest + bytes.toString("latin1");
  let at = text.indexOf(STAMP);
  let cut = 0;
  while (at !== -1 && at + STAMP.length + STAMP_DIGITS <= text.length) {
    cut = at + STAMP.length + STAMP_DIGITS;
    late(nowMs - Number(text.slice(at + STAMP.length, cut)));
    at = text.indexOf(STAMP, cut);
  }
  data.rest = text.slice(Math.max(cut, text.length - STAMP.length - STAMP_DIGITS));
}
