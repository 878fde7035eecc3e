/** The error codes of recent requests. Limits their number, whatever servers answer. Counts nothing. */

/** The most codes. All further codes share the code `other`. */
export const ERRORS_MAX = 40;
const OTHER = "other";

export class ErrorCodes {
  readonly #codes: string[] = [OTHER];
  readonly #indexes = new Map<string, number>([[OTHER, 0]]);

  /** @returns its index: below `ERRORS_MAX` */
  of(code: string): number {
    const known = this.#indexes.get(code);
    if (known !== undefined) return known;
    const index = this.#codes.length;
    if (index >= ERRORS_MAX || code.length > LENGTH_MAX) return 0;
    this.#codes.push(code);
    this.#indexes.set(code, index);
    return index;
  }

  at(index: number): string {
    return this.#codes[index] ?? OTHER;
  }
}

/** The longest code of the proxy is half as long. */
const LENGTH_MAX = 48;
