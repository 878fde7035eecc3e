/**
 * WebSocket frames (RFC 6455 §5.2), as far as the bench needs them: a message is one frame of at most 65,535 bytes.
 * The code costs little: it creates no object for a frame.
 */

export const TEXT = 0x1;
export const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

const FIN = 0x80;
const MASKED = 0x80;
/** Stands in place of a length. The next two bytes hold the length. */
const LONG = 126;
const MASK_BYTES = 4;

/** The place of a frame's payload in `bytes`. The mask, if the frame has one, is before it. */
type Take = (opcode: number, start: number, end: number) => void;

/**
 * Calls `take` for each complete frame.
 *
 * @returns the number of bytes of the complete frames; an incomplete frame follows
 */
export function eachFrame(bytes: Buffer, take: Take): number {
  for (let at = 0; ; ) {
    const second = bytes[at + 1] ?? 0;
    const short = second & ~MASKED;
    const isLong = short === LONG;
    const start = at + (isLong ? 4 : 2) + (second & MASKED && MASK_BYTES);
    if (bytes.length < start) return at;
    const end = start + (isLong ? bytes.readUInt16BE(at + 2) : short);
    if (bytes.length < end) return at;
    take((bytes[at] ?? 0) & 0xf, start, end);
    at = end;
  }
}

/** A frame as a client sends it. Its mask is zeros, which costs the receiver the same work. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(2 + 2 + MASK_BYTES + payload.length);
  const head = writeHead(bytes, 0, { opcode, length: payload.length, mask: MASKED });
  bytes.set(payload, head + MASK_BYTES);
  return bytes.subarray(0, head + MASK_BYTES + payload.length);
}

/**
 * Turns a client's frames in `bytes` into the answer of an echo server: the same frames without a mask, and
 * pongs for pings. It overwrites the frames, because a frame without a mask is shorter.
 */
export function echoInPlace(bytes: Buffer): {
  readonly taken: number;
  readonly written: number;
  readonly closed: boolean;
} {
  let written = 0;
  let closed = false;
  const taken = eachFrame(bytes, (opcode, start, end) => {
    if (opcode === PONG) return;
    if (opcode === CLOSE) closed = true;
    const mask = bytes.readUInt32BE(start - MASK_BYTES);
    const answer = opcode === PING ? PONG : opcode;
    written = writeHead(bytes, written, { opcode: answer, length: end - start, mask: 0 });
    unmask(bytes, { from: start, to: written, length: end - start }, mask);
    written += end - start;
  });
  return { taken, written, closed };
}

function unmask(
  bytes: Buffer,
  { from, to, length }: Readonly<Record<"from" | "to" | "length", number>>,
  mask: number,
): void {
  for (let n = 0; n < length; n += 1) {
    const shift = (MASK_BYTES - 1 - (n % MASK_BYTES)) * 8;
    bytes[to + n] = (bytes[from + n] ?? 0) ^ ((mask >>> shift) & 0xff);
  }
}

/** @returns the end of the frame that it wrote */
function writeHead(
  bytes: Buffer,
  at: number,
  { opcode, length, mask }: Readonly<Record<"opcode" | "length" | "mask", number>>,
): number {
  bytes[at] = FIN | opcode;
  bytes[at + 1] = mask | Math.min(length, LONG);
  return length < LONG ? at + 2 : bytes.writeUInt16BE(length, at + 2);
}
