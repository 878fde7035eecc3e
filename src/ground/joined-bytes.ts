/**
 * Bytes that come in pieces, copied into one buffer as they come: what is kept is at most twice what
 * came, whatever the sizes of the pieces. (Pieces of one byte, kept as they are, take some 100 bytes each.)
 */

const EMPTY = new Uint8Array(0);
const CAPACITY_MIN = 64;

export class JoinedBytes {
  #buffer = EMPTY;
  #length = 0;

  /** Bytes that were appended. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that they take. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** What has been appended, not copied: good until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  /** Starts anew; a large buffer is let go of, a small one is used again. */
  clear(): void {
    if (this.#buffer.length > CAPACITY_MIN) this.#buffer = EMPTY;
    this.#length = 0;
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length, CAPACITY_MIN));
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
