import { expect, test } from "bun:test";
import { andMore, cut, someOf } from "../../src/ground/some-of.ts";

test("someOf() returns at most ten texts, each cut to 100 characters", () => {
  expect(someOf([])).toEqual([]);
  const long = Array.from({ length: 10_000 }, (_, n) => `${n % 10}`.repeat(1_000));
  expect(someOf(long)).toEqual(long.slice(0, 10).map((text) => `${text.slice(0, 100)}…`));
});

test.each([
  [["a", "b"], 5, "a, b and 3 more"],
  [["a"], 2, "a and 1 more"],
  [["a", "b"], 2, "a, b"],
  [["a"], 0, "a"], // the total is unknown
])("andMore(%j, %d) is %j", (texts, count, text) => {
  expect(andMore(texts, count)).toBe(text);
});

test("cut() does not change a text within the limit", () => {
  expect([cut("abc", 3), cut("abcd", 3)]).toEqual(["abc", "abc…"]);
});
