/**
 * The frames of bare WebSockets, for tests with many WebSockets or gigabytes (RFC 6455 §5.2). Keeps no
 * payload. Pure.
 */

import { masked, unmasked } from "./frames.ts";

/** Opcodes (RFC 6455 §11.8). */
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** The bytes of a message or control frame. */
export function frame(opcode: number, payload: Buffer, isClient: boolean): Buffer {
  return (isClient ? masked : unmasked)({ opcode, payload });
}

/** The bytes before a payload of this length, including the mask. */
export function frameHead(opcode: number, saidLength: number, isClient: boolean): Buffer {
  return (isClient ? masked : unmasked)({ opcode, saidLength });
}

/** Unmasks bytes of a payload that begin at offset `from`. */
function plainOf(payload: Uint8Array, from: number, mask: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(payload.length);
  for (let n = 0; n < payload.length; n += 1) {
    result[n] = payload[n]! ^ mask[(from + n) & 3]!;
  }
  return result;
}

type Head = {
  readonly opcode: number;
  readonly mask: Buffer | undefined;
  left: number;
  read: number;
};

export type Parts = {
  /** A piece of a message's payload, unmasked. */
  readonly piece: (bytes: Buffer) => void;
  /** The end of a frame. A control frame comes with its payload. */
  readonly end: (opcode: number, control: Buffer) => void;
};

/** Reads frames that arrive in pieces. */
export class FrameReader {
  #start: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  #control: Buffer[] = [];

  read(received: Buffer, parts: Parts): void {
    let bytes = this.#start.length === 0 ? received : Buffer.concat([this.#start, received]);
    this.#start = Buffer.alloc(0);
    for (;;) {
      const parsed = this.#head === undefined ? parseHead(bytes) : { head: this.#head, bytes: 0 };
      if (parsed === undefined) {
        this.#start = Buffer.from(bytes);
        return;
      }
      this.#head = parsed.head;
      bytes = bytes.subarray(parsed.bytes);
      bytes = bytes.subarray(this.#take(parsed.head, bytes, parts));
      if (parsed.head.left > 0) return;
      this.#head = undefined;
      parts.end(parsed.head.opcode, Buffer.concat(this.#control));
      this.#control = [];
    }
  }

  /** @returns how many bytes belong to this frame */
  #take(head: Head, bytes: Buffer, { piece }: Parts): number {
    const part = bytes.subarray(0, head.left);
    const plain = head.mask === undefined ? part : plainOf(part, head.read, head.mask);
    head.left -= part.length;
    head.read += part.length;
    if (head.opcode >= CLOSE) this.#control.push(plain);
    else if (plain.length > 0) piece(plain);
    return part.length;
  }
}

function parseHead(bytes: Buffer): { readonly head: Head; readonly bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const isMasked = (bytes[1]! & 0x80) !== 0;
  const at = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  const end = at + (isMasked ? 4 : 0);
  if (bytes.length < end) return undefined;
  const long = short === 126 ? bytes.readUInt16BE(2) : short;
  const left = short === 127 ? Number(bytes.readBigUInt64BE(2)) : long;
  const mask = isMasked ? Buffer.from(bytes.subarray(at, end)) : undefined;
  return { head: { opcode: bytes[0]! & 0xf, mask, left, read: 0 }, bytes: end };
}
