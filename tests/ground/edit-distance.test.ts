import { expect, test } from "bun:test";
import { editDistance, nearestWord } from "../../src/ground/edit-distance.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["abc", "", 3],
  ["abc", "abc", 0],
  ["abc", "abd", 1],
  ["port", "prot", 2],
  ["kitten", "sitting", 3],
])("editDistance() of %p and %p is %p", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

test.each<[wrong: string, words: readonly string[], meant: string | undefined]>([
  ["HOSTS", ["PORT", "HOST", "TRUSTED_HOSTS"], "HOST"],
  ["abc", ["abcd", "abc"], "abc"],
  ["abx", ["abc", "aby"], "abc"],
  ["PROT", ["HOST", "PORT"], "PORT"],
  ["PATH", ["PORT", "USER"], undefined],
  ["a", ["b", "ab"], undefined],
  ["-x", ["-h", "-v", "run"], undefined],
  ["abc", [], undefined],
  ["", ["a"], undefined],
  ["x".repeat(100_000), ["x".repeat(60)], "x".repeat(60)],
])("nearestWord() to %p among %p is %p", (wrong, words, meant) => {
  expect(nearestWord(wrong, words)).toBe(meant);
});
