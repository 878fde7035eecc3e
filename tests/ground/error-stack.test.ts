import { expect, test } from "bun:test";
import { stackOf } from "../../src/ground/error-stack.ts";

test("stackOf() returns the message of an error and where it was thrown", () => {
  const stack = stackOf(new TypeError("no function"));
  expect(stack).toStartWith("TypeError: no function\n");
  expect(stack).toContain(import.meta.file);
});

test("stackOf() returns a value without a stack as text", () => {
  const without = new Error("bare");
  without.stack = "";
  expect([stackOf("thrown text"), stackOf(undefined), stackOf(without)]).toEqual([
    "thrown text",
    "undefined",
    "Error: bare",
  ]);
});
