import { expect, test } from "bun:test";
import { greatestFirst } from "../../src/ground/greatest-first.ts";

test("greatestFirst() compares the second number only if the first is equal", () => {
  const entries = [
    [1, 9],
    [2, 0],
    [1, 3],
    [2, 5],
  ];
  expect(greatestFirst(entries, (numbers) => numbers)).toEqual([
    [2, 5],
    [2, 0],
    [1, 9],
    [1, 3],
  ]);
});

test("greatestFirst() keeps the order of equal entries and does not change the given list", () => {
  const entries = ["b", "a", "c"];
  expect(greatestFirst(entries, (text) => [text === "c" ? 1 : 0])).toEqual(["c", "b", "a"]);
  expect(entries).toEqual(["b", "a", "c"]);
});
