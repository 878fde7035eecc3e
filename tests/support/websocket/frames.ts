/**
 * WebSocket frames by hand (RFC 6455 §5.2), valid and invalid ones, to send and see frames that no WebSocket
 * library would send or show. Pure over bytes.
 */

export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** Where the length of a payload is: in the second byte of the frame, or in 2 or 8 more bytes. */
type LengthForm = "7 bits" | "16 bits" | "64 bits";

export type FrameInit = {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  /** False: more fragments follow. */
  readonly fin?: boolean;
  /** The three reserved bits: 4 is RSV1, which permessage-deflate uses. */
  readonly reserved?: number;
  /** The shortest by default. RFC 6455 forbids a longer form, but most receivers accept it. */
  readonly lengthForm?: LengthForm;
  /** The length in the header. The payload's length by default. */
  readonly saidLength?: number;
};

/** A frame in the form of servers. */
export function unmasked(init: FrameInit): Buffer {
  return encode(init, false);
}

/** A frame in the form of clients. */
export function masked(init: FrameInit): Buffer {
  return encode(init, true);
}

/** @param code without it, the Close frame is empty */
export function closePayload(code?: number, reason: Uint8Array | string = ""): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const text = Buffer.from(reason);
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code);
  payload.set(text, 2);
  return payload;
}

/** Fixed, so that a failure can be repeated. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function encode(init: FrameInit, isMasked: boolean): Buffer {
  const { opcode, fin = true, reserved = 0 } = init;
  const payload = Buffer.from(init.payload ?? "");
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const length = encodeLength(init.saidLength ?? payload.length, init.lengthForm);
  length[0] = (length[0] ?? 0) | (isMasked ? 0x80 : 0);
  const head = [Buffer.from([first]), length];
  return Buffer.concat(isMasked ? [...head, MASK, applyMask(payload, MASK)] : [...head, payload]);
}

function encodeLength(length: number, form = shortestForm(length)): Buffer {
  if (form === "7 bits") return Buffer.from([length]);
  const bytes = Buffer.alloc(form === "16 bits" ? 3 : 9);
  bytes[0] = form === "16 bits" ? 126 : 127;
  if (form === "16 bits") bytes.writeUInt16BE(length, 1);
  else bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

function shortestForm(length: number): LengthForm {
  if (length < 126) return "7 bits";
  return length < 65_536 ? "16 bits" : "64 bits";
}

function applyMask(payload: Uint8Array, mask: Uint8Array): Buffer {
  const result = Buffer.alloc(payload.length);
  for (let at = 0; at < payload.length; at += 1) {
    result[at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  }
  return result;
}

export type Frame = {
  readonly opcode: number;
  readonly fin: boolean;
  readonly reserved: number;
  readonly isMasked: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
};

/** Reads frames from bytes that arrive in pieces. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** The length of the incoming frame. 0 if its header is incomplete. */
  #wanted = 0;

  /** @returns the frames that this piece completes */
  push(piece: Buffer): readonly Frame[] {
    this.#pieces.push(piece);
    this.#length += piece.length;
    const frames: Frame[] = [];
    // Joins the pieces of a long frame only once, when it is complete: joining each time would be quadratic.
    while (this.#length > 0 && this.#length >= this.#wanted) {
      const bytes = Buffer.concat(this.#pieces);
      const header = parseHeader(bytes);
      this.#wanted = header === undefined ? 0 : header.at + header.length;
      const frame = header && frameIn(bytes, header);
      const rest = frame === undefined ? bytes : bytes.subarray(this.#wanted);
      this.#pieces = [rest];
      this.#length = rest.length;
      if (frame === undefined) break;
      frames.push(frame);
      this.#wanted = 0;
    }
    return frames;
  }
}

type Header = Omit<Frame, "payload"> & {
  readonly mask: Uint8Array | undefined;
  /** The offset of the payload. */
  readonly at: number;
  readonly length: number;
};

function parseHeader(bytes: Buffer): Header | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const isMasked = second >= 0x80;
  const short = second & 0x7f;
  const lengthEnd = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  const at = lengthEnd + (isMasked ? 4 : 0);
  if (bytes.length < at) return undefined;
  let length = short;
  if (short === 126) length = bytes.readUInt16BE(2);
  if (short === 127) length = Number(bytes.readBigUInt64BE(2));
  return {
    opcode: first & 0x0f,
    fin: first >= 0x80,
    reserved: (first >> 4) & 7,
    isMasked,
    mask: isMasked ? bytes.subarray(lengthEnd, at) : undefined,
    at,
    length,
  };
}

function frameIn(bytes: Buffer, { at, length, mask, ...kind }: Header): Frame | undefined {
  if (bytes.length < at + length) return undefined;
  const payload = bytes.subarray(at, at + length);
  return { ...kind, payload: mask === undefined ? payload : applyMask(payload, mask) };
}
