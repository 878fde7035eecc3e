import { expect, test } from "bun:test";
import { printable, printableInTable, quoted } from "../../src/ground/printable.ts";

const STEERING = [
  "\u0000",
  "\u001b",
  "\n",
  "\u007f",
  "\u009b",
  "\u202e",
  "\u2066",
  "\u2028",
  "\u200f",
];

test.each(STEERING)(
  "printable() writes %j as an escape that JSON reads as the same character",
  (one) => {
    const shown = printable(`a${one}b`);
    expect(shown).toMatch(/^a\\u[\da-f]{4}b$/);
    expect(JSON.parse(`"${shown}"`)).toBe(`a${one}b`);
    expect(printableInTable(`a${one}b`)).toBe("a?b");
  },
);

test("printable() does not change other text", () => {
  const text = "Qwen/Qwen3-0.6B ü 模型 😀 \\u001b {}";
  expect(printable(text)).toBe(text);
  expect(printableInTable(text)).toBe(text);
});

test.each<[text: string, shown: string]>([
  ["a/b", '"a/b"'],
  ["a\u009bb\u202e", '"a\\u009bb\\u202e"'],
  ['a"\\b', '"a\\"\\\\b"'],
  ["12345", '"12345"'],
  ["123456", '"12345…"'],
  ["1234😀", '"1234\\ud83d…"'],
  ["", '""'],
])("quoted() shows %j as %s", (text, shown) => {
  expect(quoted(text, 5)).toBe(shown);
});
