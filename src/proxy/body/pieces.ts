/**
 * Keeps the pieces of a body, in order. Joins small pieces: a body of one-byte chunks, kept piece by piece, would
 * take a hundred times its length. Reports how much memory it takes, and has no limit of its own.
 */
import { JoinedBytes } from "../../ground/joined-bytes.ts";

/** A piece of this size is kept as it is: its overhead is small compared to its bytes. */
const LARGE_BYTES = 4 * 1024;
const BLOCK_BYTES_MAX = 64 * 1024;

export class BodyPieces {
  readonly #pieces: Uint8Array[] = [];
  /** The latest small pieces, joined. */
  #block = new JoinedBytes();
  /** Index of the first piece that was not handed over yet. */
  #next = 0;

  /** @returns how much more memory it now takes, in bytes */
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

  /** Yields the kept bytes from this offset on, as views of the pieces. Yields nothing after the first `shift()`. */
  *from(offset: number): Generator<Uint8Array> {
    if (this.#next > 0) return;
    let left = offset;
    for (const piece of [...this.#pieces, this.#block.bytes]) {
      if (left < piece.length) yield piece.subarray(left);
      left = Math.max(0, left - piece.length);
    }
  }

  /** Hands over the next piece. */
  shift(): { readonly piece: Uint8Array; readonly memory: number } | undefined {
    this.#closeBlock();
    const piece = this.#pieces[this.#next];
    if (piece === undefined) return undefined;
    this.#pieces[this.#next] = EMPTY; // otherwise the piece would live as long as the request
    this.#next += 1;
    return { piece, memory: piece.buffer.byteLength };
  }

  /** Hands over all remaining pieces as one. */
  takeAll(): Uint8Array<ArrayBuffer> {
    this.#closeBlock();
    const left = this.#pieces.slice(this.#next);
    this.clear();
    const whole = left.length === 1 && left[0] !== undefined ? left[0] : Buffer.concat(left);
    return whole as Uint8Array<ArrayBuffer>; // never a SharedArrayBuffer: the proxy makes none
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
