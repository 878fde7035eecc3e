/**
 * The syntax of multipart: the parameters of Content-Type and Content-Disposition, and the delimiter between
 * the parts. Knows nothing of what a part means. Pure over bytes and text.
 */

const CR = 0x0d;

/**
 * Finds the delimiter in bytes that come in pieces: CRLF, "--" and the boundary (RFC 2046 §5.1.1: the line
 * break before a boundary belongs to it). Keeps no bytes, only how many bytes of the delimiter have matched.
 * CR stands only at its beginning: so a match that fails can only begin anew at the current byte.
 */
export class BoundarySearch {
  readonly #delimiter: Buffer;
  /** How many bytes of the delimiter have come, at the end of the bytes so far. */
  #matched = 0;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
    this.restartBehindLineBreak();
  }

  get delimiterBytes(): number {
    return this.#delimiter.length;
  }

  /** Called at the beginning of a body, and behind a line break that may be the delimiter's own. */
  restartBehindLineBreak(): void {
    this.#matched = 2;
  }

  /** @returns the position behind the delimiter; -1 if it does not end in this piece */
  find(piece: Uint8Array, from: number): number {
    let at = from;
    // Byte by byte while the match began before `from`. The native search goes on from there.
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

/** `;name=value` or `;name="value"`. A quote that is never closed ends with the header. */
const PARAMETER = /;\s*([^=;\s"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)|([^;]*))/gs;

/** @returns what stands before the parameters, in lower case */
export function withoutParameters(value: string): string {
  return value.replace(/;.*/s, "").trim().toLowerCase();
}

/**
 * Reads parameters by RFC 9110 §5.6.6, with white space around `=` as in RFC 2045. Names are in lower case,
 * and escapes undone. Of two with the same name the first counts.
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
