/**
 * Finds where the values of a JSON text begin and end. It works in one pass and without recursion, so long or
 * deep values are no problem. It creates no values and does not validate the text that it skips. Callers pass
 * a value to JSON.parse once they know that it is small enough. Pure.
 */

/** The position and size of one value in a text. */
export type Extent = {
  readonly start: number;
  /** Index after its last character. */
  readonly end: number;
  /** How deep arrays and objects are nested; 0 for other values. */
  readonly depth: number;
  /** The number of values in it, including itself. The cost of JSON.parse grows with it. */
  readonly values: number;
};

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LIST_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

/** Characters that one step reads, in about 1 ms. Between two steps the caller may let other work run. */
const STEP_LENGTH = 256 * 1024;

/** A value whose end is still unknown. */
type Search = { -readonly [Field in keyof Extent]: Extent[Field] } & {
  /** How many arrays and objects are open at `end`. */
  level: number;
};

/** @param start where the value begins, after white space */
function search(start: number): Search {
  return { start, end: start, depth: 0, values: 1, level: 0 };
}

/**
 * @returns true if it has found the end; otherwise call it again
 * @throws {SyntaxError} if the text ends before the value, or there is no value
 */
function step(text: string, found: Search): boolean {
  const code = text.charCodeAt(found.end);
  if (found.level > 0 || opens(code)) return stepNested(text, found);
  found.end = code === QUOTE ? afterString(text, found.end) : afterWord(text, found.end);
  return true;
}

function stepNested(text: string, found: Search): boolean {
  let { end, depth, values, level } = found;
  const stepEnd = Math.min(text.length, end + STEP_LENGTH);
  do {
    const code = text.charCodeAt(end);
    end = code === QUOTE ? afterString(text, end) : end + 1;
    if (code === COMMA) values += 1;
    else if (opens(code)) {
      values += 1;
      level += 1;
      depth = Math.max(depth, level);
    } else if (closes(code)) level -= 1;
  } while (level > 0 && end < stepEnd);
  if (level > 0 && end >= text.length) {
    throw new SyntaxError("a list or an object does not end");
  }
  found.end = end;
  found.depth = depth;
  found.values = values;
  found.level = level;
  return level === 0;
}

/** `[` and `{` differ in one bit. So do `]` and `}`. */
function opens(code: number): boolean {
  return (code | 0x20) === OBJECT_OPEN;
}

function closes(code: number): boolean {
  return (code | 0x20) === OBJECT_CLOSE;
}

/** @param start index of the opening quote */
function afterString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const end = text.indexOf('"', from);
    if (end === -1) throw new SyntaxError("a string does not end");
    // A quote after an odd number of backslashes is escaped, so it does not end the string.
    let before = end;
    while (before > from && text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    from = end + 1;
    if ((end - before) % 2 === 0) return from;
  }
}

/** Index after a number, `true`, `false` or `null`. */
function afterWord(text: string, start: number): number {
  let end = start;
  while (end < text.length && !endsWord(text.charCodeAt(end))) end += 1;
  if (end === start) throw new SyntaxError("a value is missing");
  return end;
}

function endsWord(code: number): boolean {
  return code === COMMA || code === LIST_CLOSE || code === OBJECT_CLOSE || isSpace(code);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Index of the first character that is not white space (RFC 8259 §2). */
export function afterSpace(text: string, start: number): number {
  let at = start;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/**
 * Yields the values of a list, one by one. Yields `undefined` after each step within a long one (see
 * `STEP_LENGTH`).
 *
 * @param start index of its `[`
 * @returns index after its `]`
 * @throws {SyntaxError} at a character that is not allowed there
 */
export function* elements(text: string, start: number): Generator<Extent | undefined, number> {
  let at = afterSpace(text, start + 1);
  if (text.charCodeAt(at) === LIST_CLOSE) return at + 1;
  for (;;) {
    const value = search(at);
    while (!step(text, value)) yield;
    yield value;
    at = afterSpace(text, value.end);
    if (text.charCodeAt(at) === LIST_CLOSE) return at + 1;
    at = after(text, at, COMMA);
  }
}

export type Member = { readonly key: string; readonly value: Extent };

/**
 * Yields the members of an object, one by one. Yields `undefined` after each step within a long one. If a key
 * comes twice, JSON.parse takes the last.
 *
 * @param start index of its `{`
 * @returns index after its `}`
 * @throws {SyntaxError} at a character that is not allowed there
 */
export function* members(text: string, start: number): Generator<Member | undefined, number> {
  let at = afterSpace(text, start + 1);
  if (text.charCodeAt(at) === OBJECT_CLOSE) return at + 1;
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) throw new SyntaxError("a key is missing");
    const keyEnd = afterString(text, at);
    const key = keyOf(text.slice(at, keyEnd));
    const value = search(after(text, afterSpace(text, keyEnd), COLON));
    while (!step(text, value)) yield;
    yield { key, value };
    at = afterSpace(text, value.end);
    if (text.charCodeAt(at) === OBJECT_CLOSE) return at + 1;
    at = after(text, at, COMMA);
  }
}

/** Skips one required character and the white space after it. Returns the index after both. */
function after(text: string, at: number, code: number): number {
  if (text.charCodeAt(at) !== code) {
    throw new SyntaxError(`${JSON.stringify(String.fromCharCode(code))} is missing`);
  }
  return afterSpace(text, at + 1);
}

function keyOf(quoted: string): string {
  return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}
