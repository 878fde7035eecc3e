import { expect, test } from "bun:test";
import { ERRORS } from "../../src/proxy/own/errors.ts";
import { failureOf, wordOfBreak } from "../../src/telemetry/call-errors.ts";
import { errorWord } from "../../src/telemetry/error-words.ts";

/** An error like the ones of Bun's fetch. */
function coded(code: string): Error {
  return Object.assign(new Error("x"), { code });
}

test("errorWord() knows each error of the proxy", () => {
  for (const code of Object.keys(ERRORS)) expect(errorWord(code, 500)).toBe(code);
});

test("errorWord() knows each way in which answers and calls fail", () => {
  const words = [
    wordOfBreak({ cancelled: true }, undefined),
    wordOfBreak({ error: coded("x") }, undefined),
    wordOfBreak({ error: coded("x") }, "cut"),
    failureOf(new Error("x"), undefined).errorType,
    failureOf(coded("ECONNREFUSED"), undefined).errorType,
    failureOf(coded("ECONNRESET"), undefined).errorType,
    failureOf(coded("x"), "connect timed out").errorType,
    "container_oom",
    "container_exit",
  ];
  for (const word of words) expect(errorWord(word, 502)).toBe(word);
});

test.each<[errorType: string | undefined, status: number, word: string | undefined]>([
  [undefined, 200, undefined],
  [undefined, 101, undefined],
  [undefined, 399, undefined],
  [undefined, 400, "400"],
  [undefined, 429, "429"],
  ["503", 503, "503"],
  ["ENETUNREACH", 502, "other"],
  ["5000", 502, "other"],
  ["50", 502, "other"],
  ["", 502, "other"],
  ["starting\n", 503, "other"],
  ["500\n", 503, "other"],
  ["constructor", 502, "other"],
])("errorWord(%j, %d) is %j", (errorType, status, word) => {
  expect(errorWord(errorType, status)).toBe(word);
});
