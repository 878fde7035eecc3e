/**
 * One JSON string of a body that comes in pieces: to get past it, or to read it. RFC 8259 §7.
 * Starts behind the opening quote; what it skips it neither decodes nor holds.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonString {
  /** The last byte of the piece before was a backslash that escapes the next one. */
  #escaped = false;
  #complete = false;
  #captured: Uint8Array[] = [];
  #capturedBytes = 0;
  #tooLong = false;

  /** Whether the closing quote has come. The next call begins another string. */
  get complete(): boolean {
    return this.#complete;
  }

  /** @returns the position behind the closing quote, or the piece's length if that has not come */
  skip(piece: Uint8Array, start: number): number {
    this.#complete = false;
    let from = start;
    if (this.#escaped) {
      from += 1;
      this.#escaped = false;
    }
    for (;;) {
      const quote = piece.indexOf(QUOTE, from);
      const end = quote === -1 ? piece.length : quote;
      let backslashes = 0;
      while (end - backslashes > from && piece[end - backslashes - 1] === BACKSLASH) {
        backslashes += 1;
      }
      const escapes = backslashes % 2 === 1;
      if (quote === -1) {
        this.#escaped = escapes;
        return piece.length;
      }
      if (!escapes) {
        this.#complete = true;
        return quote + 1;
      }
      from = quote + 1;
    }
  }

  /** As `skip`, and holds the string's bytes for `text()`, unless there are more than `bytesMax`. */
  read(piece: Uint8Array, start: number, bytesMax: number): number {
    if (this.#complete) this.#forget();
    const end = this.skip(piece, start);
    const part = piece.subarray(start, this.#complete ? end - 1 : end);
    this.#capturedBytes += part.length;
    if (this.#capturedBytes <= bytesMax) this.#captured.push(part);
    else this.#tooLong = true;
    return end;
  }

  /** @returns the complete string; undefined if it was too long or is no valid JSON string */
  text(): string | undefined {
    const raw = this.#captured.length === 1 ? this.#captured[0] : Buffer.concat(this.#captured);
    return this.#tooLong ? undefined : parse(raw);
  }

  #forget(): void {
    this.#captured = [];
    this.#capturedBytes = 0;
    this.#tooLong = false;
  }
}

/** `ignoreBOM`: U+FEFF inside a string is a character like any other, as for JSON.parse. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function parse(raw: Uint8Array | undefined): string | undefined {
  try {
    const parsed: unknown = JSON.parse(`"${utf8.decode(raw)}"`);
    return typeof parsed === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}
