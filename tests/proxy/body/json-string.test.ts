import { describe, expect, test } from "bun:test";
import { JsonString } from "../../../src/proxy/body/json-string.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Reads a string in pieces; returns undefined if the closing quote has not come. */
function readText(pieces: readonly string[], bytesMax = 100): string | undefined | "incomplete" {
  const string = new JsonString();
  for (const piece of pieces) string.read(bytes(piece), 0, bytesMax);
  return string.complete ? string.text() : "incomplete";
}

describe("JsonString.skip()", () => {
  test.each<[piece: string, start: number, end: number]>([
    ['"', 0, 1],
    ['abc"def', 0, 4],
    ['"abc"', 1, 5],
    ['\\""', 0, 3],
    ['\\\\"', 0, 3],
    ['\\\\\\""', 0, 5],
    ['a\\"b\\"c"d"', 0, 8],
    ['\\"', 1, 2],
    ['é"', 0, 3],
  ])("%p from %d ends at %d", (piece, start, end) => {
    const string = new JsonString();
    expect(string.skip(bytes(piece), start)).toBe(end);
    expect(string.complete).toBe(true);
  });

  test.each<[why: string, pieces: readonly string[], end: number]>([
    ["between backslash and quote", ["a\\", '"b"'], 3],
    ["between two backslashes", ["a\\", '\\"b"'], 2],
    ["after two backslashes", ["a\\\\", '"b"'], 1],
    ["after a piece that is one backslash", ["a", "\\", '"b"'], 3],
    ["between many backslashes", ["\\\\\\", "\\\\\\", '"b'], 1],
    ["into empty pieces", ["a\\", "", '"'], 1],
  ])("continues after a cut %s", (_why, pieces, end) => {
    const string = new JsonString();
    const ends = pieces.map((piece) => (piece === "" ? 0 : string.skip(bytes(piece), 0)));
    expect(ends.at(-1)).toBe(end);
    expect(ends.slice(0, -1)).toEqual(pieces.slice(0, -1).map(({ length }) => length));
  });

  test("is not complete before the closing quote, or when another string begins", () => {
    const string = new JsonString();
    string.skip(bytes("abc\\"), 0);
    expect(string.complete).toBe(false);
    string.skip(bytes('""'), 0);
    expect(string.complete).toBe(true);
    string.skip(bytes("next"), 0);
    expect(string.complete).toBe(false);
  });
});

describe("JsonString.skip() ends at the first unescaped quote", () => {
  const RUNS = [0, 1, 2, 5, 30, 31, 32, 33, 34, 65, 200];

  test.each(RUNS)("after %d bytes and any backslashes, cut anywhere", (run) => {
    for (let backslashes = 0; backslashes < 6; backslashes += 1) {
      const text = `\\"${"x".repeat(run)}${"\\".repeat(backslashes)}"${"y".repeat(40)}" and "more"`;
      const end = text.match(/^(?:[^"\\]|\\.)*"/)?.[0].length ?? 0;
      const ends = Array.from(text, (_, cut) => endWhenCut(bytes(text), cut));
      expect(ends).toEqual(ends.map(() => end));
    }
  });

  test.each<[what: string, unit: string]>([
    ["escaped quotes", '\\"'],
    ["escaped backslashes", "\\\\"],
    ["escaped quotes a little apart", `${"x".repeat(33)}\\"`],
    ["letters", "x"],
  ])("after 1 MB of %s, in linear time", (_what, unit) => {
    const length = 1_000_000;
    const whole = bytes(`${unit.repeat(length / unit.length)}"`);
    const start = performance.now();
    expect(new JsonString().skip(whole, 0)).toBe(whole.length);
    const single = new JsonString();
    for (let at = 0; at < whole.length; at += 1) single.skip(whole.subarray(at, at + 1), 0);
    expect(single.complete).toBe(true);
    expect(performance.now() - start).toBeLessThan(4_000); // it takes 50 ms; quadratic time would take minutes
  });
});

function endWhenCut(whole: Uint8Array, cut: number): number {
  const string = new JsonString();
  const end = string.skip(whole.subarray(0, cut), 0);
  return string.complete ? end : cut + string.skip(whole.subarray(cut), 0);
}

describe("JsonString.read()", () => {
  test.each<[pieces: readonly string[], text: string | undefined]>([
    [['"'], ""],
    [['abc"def'], "abc"],
    [["a", "b", 'c"'], "abc"],
    [["ab", '"'], "ab"],
    [['a\\"b\\\\"'], 'a"b\\'],
    [["a\\", "u00", 'e9"'], "aé"],
    [["a\\", '""'], 'a"'],
    [["unfinished"], "incomplete"],
    [['\uFEFFa"'], "\uFEFFa"],
    [['\\q"'], undefined],
    [['\\u12"'], undefined],
    [['a\nb"'], undefined],
  ])("of %p returns %p", (pieces, text) => {
    expect(readText(pieces)).toBe(text);
  });

  test("joins a character that a cut has split", () => {
    const whole = Buffer.from('日本"');
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const string = new JsonString();
      string.read(whole.subarray(0, cut), 0, 100);
      if (!string.complete) string.read(whole.subarray(cut), 0, 100);
      expect(string.text()).toBe("日本");
    }
  });

  test.each<[pieces: readonly string[], text: string | undefined]>([
    [['12345"'], "12345"],
    [['123456"'], undefined],
    [["12345", '6"'], undefined],
    [["123", '45"'], "12345"],
    [["1234567", '"'], undefined],
  ])("of %p with a limit of 5 bytes returns %p", (pieces, text) => {
    expect(readText(pieces, 5)).toBe(text);
  });

  test("reports length, escapes and equality of the string as written", () => {
    const string = new JsonString();
    string.read(bytes('model"'), 0, 5);
    expect([string.length, string.isWritten("model"), string.hasEscapes]).toEqual([5, true, false]);
    string.read(bytes('mod\\u0065l"'), 0, 10);
    expect([string.length, string.isWritten("model"), string.hasEscapes]).toEqual([
      10,
      false,
      true,
    ]);
    for (const piece of ["mod", 'el"']) string.read(bytes(piece), 0, 4);
    expect([string.isWritten("mod"), string.isWritten("model")]).toEqual([false, false]);
  });

  test("forgets the previous string, also a skipped one or one that was too long", () => {
    const string = new JsonString();
    string.read(bytes('first"'), 0, 100);
    string.read(bytes('x too long"'), 2, 3);
    expect(string.text()).toBeUndefined();
    string.skip(bytes('skipped"'), 0);
    string.read(bytes('third"'), 0, 100);
    expect(string.text()).toBe("third");
  });
});
