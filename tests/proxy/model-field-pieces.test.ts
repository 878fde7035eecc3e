import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/proxy/model-field.ts";
import { type Random, randomDocument, seededRandom } from "../support/random-json.ts";
import { cutAt, scanModel } from "../support/scan-model.ts";

/** Bodies where a cut can fall between an escape and what it escapes, or into a character. */
const TRICKY: readonly [body: string, verdict: Verdict][] = [
  ['\uFEFF {"a":"\\\\\\"","model" : "m"}', { kind: "found", model: "m" }],
  ['{"\\u006dod\\u0065l":"\\ud83d\\ude00é😀\\\\"}', { kind: "found", model: "😀é😀\\" }],
  ['{"a":["\\"]",{"\\\\":"}"}],"model":"m"}', { kind: "found", model: "m" }],
  ['{"a":-1.5e3 ,"b":null,"":"","model":"x/y"}', { kind: "found", model: "x/y" }],
  ['{"a":"\\\\\\\\","a\\"":"\\\\","model":"m"}', { kind: "found", model: "m" }],
  [`{"${"x".repeat(31)}":{"model":"x"},"model":"m"}`, { kind: "found", model: "m" }],
  ['{"é":[[]],"models":"model"}  ', { kind: "missing", why: "no model" }],
  ['{"a":"model","model":""}', { kind: "missing", why: "empty" }],
  ['{"a":"\\"","model" : 1}', { kind: "missing", why: "not a string" }],
  ['{"a":"\\\\","b":[1}],"c"?', { kind: "invalid", offset: 17, expected: '"," or "}"' }],
  ['{"model":"\\u12","a":1}', { kind: "invalid", offset: 10, expected: "a valid JSON string" }],
  ['{"a":"\\\\\\"","b', { kind: "invalid", offset: 14, expected: "the rest of the JSON object" }],
];

describe("ModelScanner.push() gives the verdict of the whole body", () => {
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

const NO_BODY: Verdict = { kind: "missing", why: "no body" };

describe("ModelScanner agrees with JSON.parse()", () => {
  const DOCUMENTS = 4_000;

  test("on random documents, cut at random", () => {
    const random = seededRandom(20_261_123);
    const seen = { found: 0, missing: 0, invalid: 0 };
    for (let count = 0; count < DOCUMENTS; count += 1) {
      const { text, value } = randomDocument(random);
      expect(JSON.parse(text)).toEqual(value);
      const verdict = scanModel(randomPieces(Buffer.from(text), random));
      if (!Bun.deepEquals(verdict, expectedVerdict(value))) {
        expect({ text, verdict }).toEqual({ text, verdict: expectedVerdict(value) });
      }
      seen[verdict.kind] += 1;
    }
    expect(seen.found).toBeGreaterThan(DOCUMENTS / 4); // or the documents prove nothing
    expect(seen.missing).toBeGreaterThan(DOCUMENTS / 8);
  });

  test("on random documents that break off: the same model, or it says so", () => {
    const random = seededRandom(7);
    for (let count = 0; count < DOCUMENTS; count += 1) {
      const { text, value } = randomDocument(random);
      const whole = Buffer.from(text);
      const bytes = whole.subarray(0, random(whole.length));
      const verdict = scanModel(randomPieces(bytes, random));
      const brokenOff = verdict.kind === "invalid" && verdict.offset === bytes.length;
      const empty = bytes.length === 0 && Bun.deepEquals(verdict, NO_BODY);
      if (!brokenOff && !empty && !Bun.deepEquals(verdict, expectedVerdict(value))) {
        expect({ text: bytes.toString(), verdict }).toEqual({
          text: bytes.toString(),
          verdict: expectedVerdict(value),
        });
      }
    }
  });
});

function expectedVerdict(value: Record<string, unknown>): Verdict {
  if (!Object.hasOwn(value, "model")) return { kind: "missing", why: "no model" };
  const model = value["model"];
  if (typeof model !== "string") return { kind: "missing", why: "not a string" };
  return model === "" ? { kind: "missing", why: "empty" } : { kind: "found", model };
}

function randomPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const positions = Array.from({ length: random(6) }, () => random(bytes.length + 1));
  return cutAt(bytes, ...positions.sort((a, b) => a - b));
}
