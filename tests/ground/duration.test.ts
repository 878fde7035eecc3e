import { expect, test } from "bun:test";
import { parseDuration } from "../../src/ground/duration.ts";

test.each<[text: string, ms: number | undefined]>([
  ["0", 0],
  ["0s", 0],
  ["500ms", 500],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["2147483647ms", 2_147_483_647],
  ["2147483648ms", undefined],
  ["", undefined],
  ["60", undefined],
  ["-1s", undefined],
  ["1d", undefined],
  ["1s ", undefined],
  [".s", undefined],
])("parseDuration(%p) is %p", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
