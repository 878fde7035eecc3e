import { expect, test } from "bun:test";
import { reasonLines } from "../../src/ground/reason-lines.ts";

test("reasonLines() begins each line with the program and escapes control characters", () => {
  const esc = String.fromCharCode(27);
  const lines = reasonLines(["one", `two${esc}[31m\nthree`]).split("\n");
  expect([lines.length, lines[0], lines[2]]).toEqual([3, "lw-inference-proxy: one", ""]);
  expect(lines[1]).toStartWith("lw-inference-proxy: two");
  expect(lines[1]).not.toContain(esc);
});
