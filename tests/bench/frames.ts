/**
 * WebSocket frames (RFC 6455 §5.2) as far as the bench needs them: a message is one frame of at most 65,535 bytes.
 * Written to cost next to nothing: no frame is an object of its own.
 */

export const TEXT = 0x1;
export const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

const FIN = 0x80;
const MASKED = 0x80;
/** In place of a length: two bytes follow that have it. */
const LONG = 126;
const MASK_BYTES = 4;

/** Of a frame in `bytes`: where its payload is. Its mask, if it has one, is before that. */
type Take = (opcode: number, start: number, end: number) => void;

/**
 * Calls `take` for each whole frame.
 *
 * @returns how many bytes they take: a frame that has not come whole follows
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

/** A frame as a client sends it. Its mask is zeros: whoever unmasks it has the same work. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(2 + 2 + MASK_BYTES + payload.length);
  const head = writeHead(bytes, 0, { opcode, length: payload.length, mask: MASKED });
  bytes.set(payload, head + MASK_BYTES);
  return bytes.subarray(0, head + MASK_BYTES + payload.length);
}

/**
 * What a server that echoes answers to the frames of a client in `bytes`: the same without a mask, and pongs for pings.
 * It is written over them, since a frame without a mask is shorter.
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

/** @returns where it ends */
function writeHead(
  bytes: Buffer,
  at: number,
  { opcode, length, mask }: Readonly<Record<"opcode" | "length" | "mask", number>>,
): number {
  bytes[at] = FIN | opcode;
  bytes[at + 1] = mask | Math.min(length, LONG);
  return length < LONG ? at + 2 : bytes.writeUInt16BE(length, at + 2);
}
