/**
 * Reads or skips one JSON string of a body that comes in pieces (RFC 8259 §7). Starts behind the opening
 * quote. Neither decodes nor keeps what it skips. Pure over bytes.
 */
import { JoinedBytes } from "../../ground/joined-bytes.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonString {
  /** True if the last byte of the piece before was a backslash that escapes the next byte. */
  #escaped = false;
  #complete = false;
  readonly #raw = new JoinedBytes();
  #tooLong = false;

  /** True if the closing quote has come. The next call begins another string. */
  get complete(): boolean {
    return this.#complete;
  }

  /** True if more bytes have come than may be kept, as they are written. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  /** @returns the position behind the closing quote, or the piece's length if that has not come */
  skip(piece: Uint8Array, start: number): number {
    const quote = closingQuote(piece, this.#escaped ? start + 1 : start);
    this.#complete = quote < piece.length;
    this.#escaped = quote > piece.length;
    return Math.min(quote + 1, piece.length);
  }

  /** Like `skip`, but keeps the string's bytes for `text()`, unless there are more than `bytesMax`. */
  read(piece: Uint8Array, start: number, bytesMax: number): number {
    if (this.#complete) this.#forget();
    const end = this.skip(piece, start);
    const part = piece.subarray(start, this.#complete ? end - 1 : end);
    if (this.#raw.length + part.length <= bytesMax) this.#raw.append(part);
    else this.#tooLong = true;
    return end;
  }

  /** How many bytes of it are kept, as they are written. */
  get length(): number {
    return this.#raw.length;
  }

  /** Says whether it is this word of ASCII letters and `_`, written without escapes. */
  isWritten(word: string): boolean {
    return !this.#tooLong && this.#raw.is(word);
  }

  get hasEscapes(): boolean {
    return this.#raw.has(BACKSLASH);
  }

  /** @returns the complete string; undefined if it was too long or is no valid JSON string */
  text(): string | undefined {
    return this.#tooLong ? undefined : parse(this.#raw.bytes);
  }

  #forget(): void {
    this.#raw.clear();
    this.#tooLong = false;
  }
}

/** `ignoreBOM`: U+FEFF inside a string is a character like any other, as for JSON.parse. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function parse(raw: Uint8Array): string | undefined {
  try {
    const parsed: unknown = JSON.parse(`"${utf8.decode(raw)}"`);
    return typeof parsed === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes linear time whatever comes: it looks back at each byte once at most, from the quote behind it.
 *
 * @param start not escaped
 * @returns the position of the closing quote; without one the piece's length, or one more if a
 *   backslash at the end escapes what comes in the next piece
 */
function closingQuote(piece: Uint8Array, start: number): number {
  for (let at = start; ; at += 1) {
    while (at < piece.length && piece[at] === BACKSLASH) at += 2; // `\"\"\"…`
    const from = at;
    at = nextQuote(piece, from);
    let unescaped = at;
    while (unescaped > from && piece[unescaped - 1] === BACKSLASH) unescaped -= 1;
    const escaped = (at - unescaped) % 2 === 1;
    if (!escaped) return at;
    if (at === piece.length) return at + 1;
  }
}

/**
 * How far to look byte by byte (1 to 2 bytes a ns) before the native search takes over (some 20 ns
 * a call, then 30 bytes a ns): quotes are dense in source code and far apart in images and prose.
 */
const LOOP_BYTES = 32;

/** @returns the position of the next quote, escaped or not; without one where the piece ends */
function nextQuote(piece: Uint8Array, from: number): number {
  const loopEnd = Math.min(from + LOOP_BYTES, piece.length);
  for (let at = from; at < loopEnd; at += 1) if (piece[at] === QUOTE) return at;
  if (from >= piece.length) return from;
  const quote = piece.indexOf(QUOTE, loopEnd);
  return quote === -1 ? piece.length : quote;
}
