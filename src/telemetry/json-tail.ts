/**
 * A member of a JSON object of which only the end is at hand. Read from the end: there a quote is a
 * delimiter exactly if an even number of backslashes stands before it, so what is in strings, or in
 * objects further in, is never taken for the member. Nothing is validated.
 */

/**
 * @param text ends with the object; may be cut at its start
 * @param parents the member also counts in an object that is the value of one of these keys
 * @returns the member's value as it is written; of several the last one
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
    // What was found further in counts if this is its parent: that comes after it, from the end.
    if (inner !== undefined && parents.includes(found.key)) return inner;
    inner = undefined;
  }
  // The parent is cut off: nothing speaks against it.
  return parents.length > 0 ? inner : undefined;
}

type Member = { readonly depth: number; readonly key: string; readonly value: string };

class BackwardScan {
  readonly #text: string;
  /** What has been looked at starts here. */
  #at: number;
  /** Objects and arrays that are open at `#at`; 0 outside of all. */
  #depth = 0;
  /** Where the value under way ends, by depth. */
  readonly #ends: number[] = [];

  constructor(text: string) {
    this.#text = text;
    this.#at = text.length;
  }

  /** The members of objects at any depth, from the last to the first; undefined at the start of the text. */
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
      if (this.#at === 0) return "cut"; // lastIndexOf takes −1 for 0
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
