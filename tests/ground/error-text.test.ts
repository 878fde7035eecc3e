import { expect, test } from "bun:test";
import { errorCode, errorText } from "../../src/ground/error-text.ts";

const REFUSED = Object.assign(new Error("connect failed"), { code: "ECONNREFUSED" });

test.each<[error: unknown, text: string]>([
  [REFUSED, "connect failed"],
  [new TypeError("no function"), "no function"],
  ["thrown text", "thrown text"],
  [undefined, "undefined"],
  [{ message: "not an Error" }, "[object Object]"],
])("errorText() of %p is %p", (error, text) => {
  expect(errorText(error)).toBe(text);
});

test.each<[error: unknown, code: string | undefined]>([
  [REFUSED, "ECONNREFUSED"],
  [new Error("without"), undefined],
  [new DOMException("aborted", "AbortError"), undefined],
  [{ code: "ECONNRESET" }, undefined],
  [undefined, undefined],
])("errorCode() of %p is %p", (error, code) => {
  expect(errorCode(error)).toBe(code);
});
