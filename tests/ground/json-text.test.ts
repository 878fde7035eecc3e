import { describe, expect, test } from "bun:test";
import { elements, members } from "../../src/ground/json-text.ts";
import { randomDocument, seededRandom } from "../support/client/random-json.ts";

function elementsOf(text: string): readonly string[] {
  return [...elements(text, 0)].flatMap((value) =>
    value === undefined ? [] : [text.slice(value.start, value.end)],
  );
}

function membersOf(text: string): readonly string[] {
  return [...members(text, 0)].flatMap((member) =>
    member === undefined
      ? []
      : [`${member.key}=${text.slice(member.value.start, member.value.end)}`],
  );
}

describe("elements()", () => {
  test.each<[text: string, expected: readonly string[]]>([
    ["[]", []],
    ["[ \n]", []],
    ["[1]", ["1"]],
    ['[ 1.50 ,\t"a,]" , null ]', ["1.50", '"a,]"', "null"]],
    ['["\\"",["]"],{"a":"}"}]', ['"\\""', '["]"]', '{"a":"}"}']],
    ['["\\\\","\\\\\\"]"]', ['"\\\\"', '"\\\\\\"]"']],
    ["[1] and more", ["1"]],
  ])("of %p are %p", (text, expected) => {
    expect(elementsOf(text)).toEqual([...expected]);
  });

  test.each([
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    '["a',
    '["a\\"]',
    "[[1]",
    '[{"a":1]',
    "[}",
  ])("of %p throws", (text) => {
    expect(() => elementsOf(text)).toThrow(SyntaxError);
  });

  test.each<[text: string, end: number]>([
    ["[]", 2],
    [" [ 1 , [2] ] x", 12],
  ])("of %p end at %d", (text, end) => {
    const list = elements(text, text.indexOf("["));
    let next = list.next();
    while (next.done !== true) next = list.next();
    expect(next.value).toBe(end);
  });

  test("return the depth of each value and the number of values in it", () => {
    const extents = [...elements('[1,"[[",[],[1,2],{"a":[{"b":[]}]}]', 0)];
    expect(extents.map((extent) => [extent?.depth, extent?.values])).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 3],
      [4, 5],
    ]);
  });

  test("handle a million levels, with pauses in between", () => {
    const deep = `[${"[".repeat(1_000_000)}${"]".repeat(1_000_000)},1]`;
    const found = [...elements(deep, 0)];
    expect(found.filter((value) => value === undefined).length).toBeGreaterThan(5);
    expect(found.filter((value) => value !== undefined).map(({ depth }) => depth)).toEqual([
      1_000_000, 0,
    ]);
  });
});

describe("members()", () => {
  test.each<[text: string, expected: readonly string[]]>([
    ["{}", []],
    ['{ "a" : 1 , "b":[{"c":2}]}', ["a=1", 'b=[{"c":2}]']],
    ['{"d\\u0061ta":1,"":2,"__proto__":3}', ["data=1", "=2", "__proto__=3"]],
    ['{"a":1,"a":2}', ["a=1", "a=2"]],
  ])("of %p are %p", (text, expected) => {
    expect(membersOf(text)).toEqual([...expected]);
  });

  test.each(["{", '{"a"', '{"a":', '{"a":}', '{"a":1', '{"a":1,}', "{a:1}", '{"a" 1}', "{1:2}"])(
    "of %p throws",
    (text) => {
      expect(() => membersOf(text)).toThrow(SyntaxError);
    },
  );

  test("of 2,000 random objects are the same as with JSON.parse", () => {
    for (let seed = 0; seed < 2_000; seed += 1) {
      const text = randomDocument(seededRandom(seed)).text.trimStart();
      if (text.startsWith("\uFEFF")) continue; // our texts have been decoded
      const found: Record<string, unknown> = Object.create(null);
      for (const member of members(text, 0)) {
        if (member === undefined) continue;
        found[member.key] = JSON.parse(text.slice(member.value.start, member.value.end));
      }
      expect(JSON.stringify({ ...found })).toBe(JSON.stringify(JSON.parse(text)));
    }
  });
});
