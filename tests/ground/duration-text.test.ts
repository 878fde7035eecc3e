import { expect, test } from "bun:test";
import { durationText } from "../../src/ground/duration-text.ts";

test.each([
  [-5, "0.1 s"],
  [0, "0.1 s"],
  [68, "0.1 s"],
  [340, "0.3 s"],
  [2_000, "2 s"],
  [9_940, "9.9 s"],
  [9_960, "10 s"],
  [12_400, "12 s"],
  [119_900, "120 s"],
  [150_000, "2.5 min"],
  [7_140_000, "119 min"],
  [9_000_000, "2.5 h"],
  [360_000_000, "100 h"],
])("durationText(%d) is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
