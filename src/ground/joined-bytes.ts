/**
 * Joins bytes that come in pieces, by copying each piece into one buffer as it comes. The buffer is at most
 * twice as large as what came. (A piece of one byte, kept as it is, takes about 100 bytes.) Has no limit of
 * its own: whoever appends must stop.
 */

const EMPTY = new Uint8Array(0);
const CAPACITY_MIN = 64;

export class JoinedBytes {
  #buffer = EMPTY;
  #length = 0;

  /** How many bytes were appended. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes of memory they take. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** The appended bytes, not a copy of them: valid until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Says whether they are this ASCII text. Makes no view of them, which would take longer than to compare. */
  is(text: string): boolean {
    if (this.#length !== text.length) return false;
    for (let at = 0; at < text.length; at += 1) {
      if (this.#buffer[at] !== text.charCodeAt(at)) return false;
    }
    return true;
  }

  has(byte: number): boolean {
    for (let at = 0; at < this.#length; at += 1) if (this.#buffer[at] === byte) return true;
    return false;
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  /** Starts anew. Drops a large buffer, and uses a small one again. */
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
