/**
 * Finds a member of a JSON object when only the end of the text is available. It reads backwards. A quote
 * delimits a string if and only if an even number of backslashes stands before it. So it never mistakes text
 * inside a string or a nested object for the member. It validates nothing.
 */

/**
 * @param text the end of the text, with the end of the object; the start may be cut off
 * @param parents the member may also be in an object under one of these keys
 * @returns the raw text of the member's value; the last one if there are several
 */
export function memberAtEnd(
  text: string,
  key: string,
  parents: readonly string[] = [],
): string | undefined {
  const scan = new BackwardScan(text);
  let inner: string | undefined;
  for (let found = scan.next(); found !== undefined; found = scan.next()) {
    const isIt = found.key === key;
    if (found.depth === 2 && isIt) inner ??= found.value;
    if (found.depth !== 1) continue;
    if (isIt) return found.value;
    // Backwards, a parent's key comes after its members. It decides whether the nested member counts.
    if (inner !== undefined && parents.includes(found.key)) return inner;
    inner = undefined;
  }
  // The text is cut before the parent's key, so the nested member may count.
  return parents.length > 0 ? inner : undefined;
}

type Member = { readonly depth: number; readonly key: string; readonly value: string };

class BackwardScan {
  readonly #text: string;
  /** The scan has read everything from here on. */
  #at: number;
  /** How many objects and arrays are open at `#at`; 0 outside. */
  #depth = 0;
  /** The end of the current value at each depth. */
  readonly #ends: number[] = [];

  constructor(text: string) {
    this.#text = text;
    this.#at = text.length;
  }

  /** Returns the members of objects at any depth, the last first; undefined at the start of the text. */
  next(): Member | undefined {
    while (this.#at > 0) {
      this.#at -= 1;
      const member = this.#step(this.#text[this.#at]);
      if (member === "cut") return undefined;
      if (member !== undefined) return member;
    }
    return undefined;
  }

  #step(character: string | undefined): Member | "cut" | undefined {
    switch (character) {
      case "}":
      case "]":
        this.#depth += 1;
        this.#ends[this.#depth] = this.#at;
        return undefined;
      case "{":
      case "[":
        this.#depth -= 1;
        return this.#depth > 0 ? undefined : "cut";
      case ",":
        this.#ends[this.#depth] = this.#at;
        return undefined;
      case '"':
        return this.#string();
      default:
        return undefined;
    }
  }

  #string(): Member | "cut" | undefined {
    const close = this.#at;
    do {
      if (this.#at === 0) return "cut"; // lastIndexOf(…, -1) would search at 0 again
      this.#at = this.#text.lastIndexOf('"', this.#at - 1);
      if (this.#at === -1) return "cut";
    } while (isEscaped(this.#text, this.#at));
    const colon = close + 1 + countSpaces(this.#text, close + 1);
    if (this.#text[colon] !== ":") return undefined;
    const value = this.#text.slice(colon + 1, this.#ends[this.#depth]);
    return { depth: this.#depth, key: this.#text.slice(this.#at + 1, close), value };
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}

/** Whitespace of JSON (RFC 8259 §2). */
function countSpaces(text: string, from: number): number {
  let count = 0;
  while (" \t\r\n".includes(text[from + count] ?? "x")) count += 1;
  return count;
}
