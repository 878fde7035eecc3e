/**
 * The syntax of multipart: the parameters of Content-Type and Content-Disposition, and the delimiter between
 * parts. Knows nothing about the meaning of a part. Pure over bytes and text.
 */

const CR = 0x0d;

/**
 * Finds the delimiter in bytes that arrive in pieces: CRLF, "--" and the boundary (RFC 2046 §5.1.1: the line
 * break before a boundary belongs to it). Keeps no bytes, only the number of delimiter bytes that matched.
 * The delimiter has its only CR at the start, so after a failed match a new one can only start at the current byte.
 */
export class BoundarySearch {
  readonly #delimiter: Buffer;
  /** How many bytes of the delimiter match the end of the bytes seen so far. */
  #matched = 0;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
    this.restartBehindLineBreak();
  }

  get delimiterBytes(): number {
    return this.#delimiter.length;
  }

  /** Called at the start of a body, and after a line break that may belong to the delimiter. */
  restartBehindLineBreak(): void {
    this.#matched = 2;
  }

  /** @returns the position after the delimiter; -1 if it does not end in this piece */
  find(piece: Uint8Array, from: number): number {
    let at = from;
    // While the match began before `from`, compare byte by byte. After that the native search takes over.
    while (this.#matched > at - from) {
      if (at === piece.length) return -1;
      this.#match(piece[at]);
      at += 1;
      if (this.#matched === this.#delimiter.length) return this.#found(at);
    }
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const start = bytes.indexOf(this.#delimiter, at - this.#matched);
    if (start !== -1) return this.#found(start + this.#delimiter.length);
    this.#matchEnd(piece, at - this.#matched);
    return -1;
  }

  #matchEnd(piece: Uint8Array, from: number): void {
    this.#matched = 0;
    const start = Math.max(from, piece.length - this.#delimiter.length + 1);
    for (let at = start; at < piece.length; at += 1) this.#match(piece[at]);
  }

  #match(byte: number | undefined): void {
    if (byte === this.#delimiter[this.#matched]) this.#matched += 1;
    else this.#matched = byte === CR ? 1 : 0;
  }

  #found(end: number): number {
    this.#matched = 0;
    return end;
  }
}

/** `;name=value` or `;name="value"`. An unclosed quote extends to the end of the header. */
const PARAMETER = /;\s*([^=;\s"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)|([^;]*))/gs;

/** @returns the value without its parameters, in lower case */
export function withoutParameters(value: string): string {
  return value.replace(/;.*/s, "").trim().toLowerCase();
}

/**
 * Reads parameters by RFC 9110 §5.6.6, with white space around `=` as in RFC 2045. Returns names in lower case and
 * values without escapes. If a name occurs twice, the first value counts.
 */
export function headerParameters(value: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, plain = ""] of value.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    if (parameters.has(key)) continue;
    parameters.set(key, quoted === undefined ? plain.trim() : quoted.replace(/\\(.)/gs, "$1"));
  }
  return parameters;
}
