import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../../src/proxy/body/verdict.ts";
import { cutAt, scanModel } from "../../support/proxy/scan-model.ts";

/** Bodies in which a cut can split an escape or a character. */
const TRICKY: readonly [body: string, verdict: Verdict][] = [
  ['\uFEFF {"a":"\\\\\\"","model" : "m"}', { kind: "found", model: "m" }],
  ['{"\\u006dod\\u0065l":"\\ud83d\\ude00é😀\\\\"}', { kind: "found", model: "😀é😀\\" }],
  ['{"a":["\\"]",{"\\\\":"}"}],"model":"m"}', { kind: "found", model: "m" }],
  ['{"a":-1.5e3 ,"b":null,"":"","model":"x/y"}', { kind: "found", model: "x/y" }],
  ['{"a":"\\\\\\\\","a\\"":"\\\\","model":"m"}', { kind: "found", model: "m" }],
  [`{"${"x".repeat(31)}":{"model":"x"},"model":"m"}`, { kind: "found", model: "m" }],
  [`{"a":["${"x".repeat(40)}\\\\\\"]",{}],"model":"m"}`, { kind: "found", model: "m" }],
  ['{"model":"\\ud83d","model":"x"}', { kind: "found", model: "\ud83d" }],
  ['{"a":{"b":[{}],"model":"x"} ,"model":"é\uFEFF"}', { kind: "found", model: "é\uFEFF" }],
  ['{"é":[[]],"models":"model"}  ', { kind: "missing", reason: "no model" }],
  ['{"a":"model","model":""}', { kind: "missing", reason: "empty" }],
  ['{"a":"\\"","model" : 1}', { kind: "missing", reason: "not a string" }],
  ['{"a":"\\\\","b":[1}],"c"?', { kind: "invalid", offset: 17, expected: '"," or "}"' }],
  ['{"model":"\\u12","a":1}', { kind: "invalid", offset: 10, expected: "a valid JSON string" }],
  ['{"a":"\\\\\\"","b', { kind: "invalid", offset: 14, expected: "the rest of the JSON object" }],
];

describe("ModelScanner.push() gives the same verdict for any pieces", () => {
  test.each(TRICKY)("%p in one piece", (body, verdict) => {
    expect(scanModel([Buffer.from(body)])).toEqual(verdict);
  });

  test.each(TRICKY)("%p in every two and three pieces", (body, verdict) => {
    const bytes = Buffer.from(body);
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first; second <= bytes.length; second += 1) {
        const pieces = cutAt(bytes, first, second);
        if (!Bun.deepEquals(scanModel(pieces), verdict)) {
          expect({ first, second, verdict: scanModel(pieces) }).toEqual({ first, second, verdict });
        }
      }
    }
  });

  test.each(TRICKY)("%p byte by byte, and with empty pieces between", (body, verdict) => {
    const bytes = Buffer.from(body);
    const single = cutAt(bytes, ...bytes.keys());
    expect(scanModel(single)).toEqual(verdict);
    expect(scanModel(single.flatMap((piece) => [piece, new Uint8Array(0)]))).toEqual(verdict);
  });
});
