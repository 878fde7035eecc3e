import { expect, test } from "bun:test";
import { stackOf } from "../../src/ground/error-stack.ts";

test("stackOf() gives an error's message and where it was thrown", () => {
  const stack = stackOf(new TypeError("no function"));
  expect(stack).toStartWith("TypeError: no function\n");
  expect(stack).toContain(import.meta.file);
});

test("stackOf() gives the text of what has no stack", () => {
  const without = new Error("bare");
  without.stack = "";
  expect([stackOf("thrown text"), stackOf(undefined), stackOf(without)]).toEqual([
    "thrown text",
    "undefined",
    "Error: bare",
  ]);
});
