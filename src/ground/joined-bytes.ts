/**
 * Joins pieces of bytes by copying each piece into one buffer as it arrives. The buffer is at most twice as
 * large as the data. (A separate piece of one byte would take about 100 bytes.) It has no limit: the caller
 * must enforce one.
 */

const EMPTY = new Uint8Array(0);
const CAPACITY_MIN = 64;

export class JoinedBytes {
  #buffer = EMPTY;
  #length = 0;

  /** How many bytes have been appended. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes of memory the buffer takes. */
  get capacity(): number {
    return this.#buffer.length;
  }

  /** The appended bytes as a view, not a copy: valid until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Whether the bytes equal this ASCII text. Creates no view: that would take longer than the comparison. */
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

  /** Removes all bytes. Drops a large buffer and keeps a small one for reuse. */
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
