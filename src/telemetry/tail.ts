/** Keeps the last bytes of a body while it passes. Does not interpret them. */

/** How many bytes at the end of a body are kept. The end contains the number of tokens. */
export const TAIL_BYTES_MAX = 16 * 1024;
const TAIL_BYTES_MIN = 1024;

/** A ring buffer that grows on demand: most answers are short and take little memory. */
export class Tail {
  #ring: Buffer = EMPTY;
  /** How many bytes have passed. The ring holds the last ones. */
  #seen = 0;

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    const last = piece.length > TAIL_BYTES_MAX ? piece.subarray(-TAIL_BYTES_MAX) : piece;
    this.#grow(Math.min(this.#seen, TAIL_BYTES_MAX) + last.length);
    this.#seen += piece.length - last.length;
    const at = this.#seen % this.#ring.length;
    const fits = Math.min(last.length, this.#ring.length - at);
    this.#ring.set(last.subarray(0, fits), at);
    this.#ring.set(last.subarray(fits), 0);
    this.#seen += last.length;
  }

  /** Whether the first bytes are lost. */
  get isCut(): boolean {
    return this.#seen > this.#ring.length;
  }

  /** Decodes as UTF-8. A replacement character stands for a cut first character. */
  get text(): string {
    if (!this.isCut) return this.#ring.toString("utf8", 0, this.#seen);
    const at = this.#seen % this.#ring.length;
    return Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)]).toString("utf8");
  }

  /** Grows only before any byte is lost, so the kept bytes start at 0. */
  #grow(bytes: number): void {
    if (bytes <= this.#ring.length || this.#ring.length === TAIL_BYTES_MAX) return;
    let length = Math.max(this.#ring.length, TAIL_BYTES_MIN);
    while (length < bytes && length < TAIL_BYTES_MAX) length *= 2;
    const grown = Buffer.allocUnsafe(length);
    this.#ring.copy(grown, 0, 0, Math.min(this.#seen, this.#ring.length));
    this.#ring = grown;
  }
}

const EMPTY = Buffer.alloc(0);
