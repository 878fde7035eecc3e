/**
 * Reads or skips one JSON string of a body that arrives in pieces (RFC 8259 §7). Starts after the opening quote.
 * Does not decode or keep the bytes that it skips. Pure over bytes.
 */
import { JoinedBytes } from "../../ground/joined-bytes.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonString {
  /** True if the previous piece ended in a backslash that escapes the next byte. */
  #escaped = false;
  #complete = false;
  readonly #raw = new JoinedBytes();
  #tooLong = false;

  /** True if the closing quote has come. The next call begins a new string. */
  get complete(): boolean {
    return this.#complete;
  }

  /** True if the string, as written, is longer than the limit. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  /** @returns the position after the closing quote, or the piece's length if the quote has not come */
  skip(piece: Uint8Array, start: number): number {
    const quote = closingQuote(piece, this.#escaped ? start + 1 : start);
    this.#complete = quote < piece.length;
    this.#escaped = quote > piece.length;
    return Math.min(quote + 1, piece.length);
  }

  /** Like `skip`, but keeps the bytes for `text()`, `bytesMax` at most. */
  read(piece: Uint8Array, start: number, bytesMax: number): number {
    if (this.#complete) this.#forget();
    const end = this.skip(piece, start);
    const part = piece.subarray(start, this.#complete ? end - 1 : end);
    if (this.#raw.length + part.length <= bytesMax) this.#raw.append(part);
    else this.#tooLong = true;
    return end;
  }

  /** How many bytes of the string, as written, are kept. */
  get length(): number {
    return this.#raw.length;
  }

  /** Tells whether the string is this word (ASCII letters and `_`), written without escapes. */
  isWritten(word: string): boolean {
    return !this.#tooLong && this.#raw.is(word);
  }

  get hasEscapes(): boolean {
    return this.#raw.has(BACKSLASH);
  }

  /** @returns the complete string; undefined if it is too long or not a valid JSON string */
  text(): string | undefined {
    return this.#tooLong ? undefined : parse(this.#raw.bytes);
  }

  #forget(): void {
    this.#raw.clear();
    this.#tooLong = false;
  }
}

/** `ignoreBOM`: keeps U+FEFF inside a string, as JSON.parse does. */
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
 * Always takes linear time: it looks back at each byte at most once, from the next quote.
 *
 * @param start not escaped
 * @returns the position of the closing quote. Without a closing quote: the piece's length, or one more if a
 *   backslash at the end escapes the first byte of the next piece
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
 * How many bytes to check one by one (1 to 2 bytes per ns) before the native search takes over (about 20 ns
 * per call, then 30 bytes per ns). Quotes are dense in source code and far apart in images and prose.
 */
const LOOP_BYTES = 32;

/** @returns the position of the next quote, escaped or not; the piece's length if there is none */
function nextQuote(piece: Uint8Array, from: number): number {
  const loopEnd = Math.min(from + LOOP_BYTES, piece.length);
  for (let at = from; at < loopEnd; at += 1) if (piece[at] === QUOTE) return at;
  if (from >= piece.length) return from;
  const quote = piece.indexOf(QUOTE, loopEnd);
  return quote === -1 ? piece.length : quote;
}
