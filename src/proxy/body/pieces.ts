/**
 * Keeps the pieces of a body, in order. Joins small ones: a body of one-byte chunks, each kept as it came,
 * would take a hundred times its length. Says what it takes of memory, and has no limit of its own.
 */
import { JoinedBytes } from "../../ground/joined-bytes.ts";

/** A piece of this size is kept as it is: what it takes beside its bytes does not matter any more. */
const LARGE_BYTES = 4 * 1024;
const BLOCK_BYTES_MAX = 64 * 1024;

export class BodyPieces {
  readonly #pieces: Uint8Array[] = [];
  /** The small pieces that came last, joined. */
  #block = new JoinedBytes();
  /** The index of the first piece that was not given on yet. */
  #next = 0;

  /** @returns how much more memory it takes now, bytes */
  push(piece: Uint8Array): number {
    if (piece.length >= LARGE_BYTES) {
      this.#closeBlock();
      this.#pieces.push(piece);
      return piece.length;
    }
    if (this.#block.length + piece.length > BLOCK_BYTES_MAX) this.#closeBlock();
    const before = this.#block.capacity;
    this.#block.append(piece);
    return this.#block.capacity - before;
  }

  /** What is kept from this byte of the body on, in views of the pieces; nothing once a piece was given on. */
  *from(offset: number): Generator<Uint8Array> {
    if (this.#next > 0) return;
    let left = offset;
    for (const piece of [...this.#pieces, this.#block.bytes]) {
      if (left < piece.length) yield piece.subarray(left);
      left = Math.max(0, left - piece.length);
    }
  }

  /** Gives on the first piece. */
  shift(): { readonly piece: Uint8Array; readonly memory: number } | undefined {
    this.#closeBlock();
    const piece = this.#pieces[this.#next];
    if (piece === undefined) return undefined;
    this.#pieces[this.#next] = EMPTY; // else the piece would live as long as the request
    this.#next += 1;
    return { piece, memory: piece.buffer.byteLength };
  }

  /** Gives on all that is left, as one piece. */
  takeAll(): Uint8Array<ArrayBuffer> {
    this.#closeBlock();
    const left = this.#pieces.slice(this.#next);
    this.clear();
    const whole = left.length === 1 && left[0] !== undefined ? left[0] : Buffer.concat(left);
    return whole as Uint8Array<ArrayBuffer>; // never shared: nobody here makes shared memory
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#next = 0;
    this.#block = new JoinedBytes();
  }

  #closeBlock(): void {
    if (this.#block.length === 0) return;
    this.#pieces.push(this.#block.bytes);
    this.#block = new JoinedBytes();
  }
}

const EMPTY = new Uint8Array(0);
