import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../../src/proxy/body/verdict.ts";
import { endsClosed, randomBody, scanMultipart } from "../../support/client/multipart-body.ts";
import { type Random, seededRandom } from "../../support/client/random-json.ts";
import { cutAt } from "../../support/proxy/scan-model.ts";

const FORM = "Content-Disposition: form-data; ";

/** Bodies in which a cut can split a delimiter, a false delimiter, or a character. Boundary `a--`. */
const TRICKY: readonly [body: string, verdict: Verdict][] = [
  [`--a--\r\n${FORM}name=model\r\n\r\n é😀\r\n--a----\r\n`, { kind: "found", model: " é😀" }],
  [
    `p\r\n--a-- \r\n${FORM}name=f;\r\n filename="model"\r\nX: y\r\n\r\n\r\n--a-\r\r\n--a--x\r\n--a--\r\r\n--a--\n--a--\r\n--a--\t\r\n${FORM}name="model"\r\n\r\nm\r\n\r\n--a--\r\n`,
    { kind: "found", model: "m\r\n" },
  ],
  [
    `--a--\r\n${FORM}name="model"\r\n\r\n\r\n--a---\r\n--a----x\r\n--a-----\r\n--a----`,
    { kind: "found", model: "\r\n--a---\r\n--a----x\r\n--a-----" },
  ],
  [
    `--a--\r\n${FORM}name=a\r\n\r\n--a--\r\n${FORM}name=model\r\n\r\n--a----`,
    { kind: "missing", reason: "empty" },
  ],
  [`--a--\r\n${FORM}name=a\r\n\r\nx\r\n--a---- \t\r\n`, { kind: "missing", reason: "no model" }],
  [
    `--a--\n${FORM}`,
    { kind: "invalid", offset: 5, expected: 'CRLF (not LF alone) after the boundary "--a--"' },
  ],
  ["--a--\r\nx: y\r\nz\r\n", { kind: "invalid", offset: 13, expected: 'the ":" of a header' }],
  [
    "--a--\r\nx: y\nz\r\n",
    { kind: "invalid", offset: 11, expected: "CRLF (not LF alone) after a header" },
  ],
  [
    `--a--\r\n${FORM}name=model\r\n\r\nm\r\n--a---`,
    { kind: "invalid", offset: 62, expected: 'the closing boundary "--a----"' },
  ],
];

const scan = (pieces: Iterable<Uint8Array>): Verdict => scanMultipart("a--", pieces);

describe("MultipartScanner.push() gives the same verdict for any pieces", () => {
  test.each(TRICKY)("%p in one piece", (body, verdict) => {
    expect(scan([Buffer.from(body)])).toEqual(verdict);
  });

  test.each(TRICKY)("%p in every two and three pieces", (body, verdict) => {
    const bytes = Buffer.from(body);
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first; second <= bytes.length; second += 1) {
        const seen = scan(cutAt(bytes, first, second));
        if (!Bun.deepEquals(seen, verdict)) {
          expect({ first, second, verdict: seen }).toEqual({ first, second, verdict });
        }
      }
    }
  });

  test.each(TRICKY)("%p byte by byte, and with empty pieces between", (body, verdict) => {
    const bytes = Buffer.from(body);
    const single = cutAt(bytes, ...bytes.keys());
    expect(scan(single)).toEqual(verdict);
    expect(scan(single.flatMap((piece) => [piece, new Uint8Array(0)]))).toEqual(verdict);
  });
});

describe("MultipartScanner finds the model that the test put in", () => {
  const BODIES = 5_000;

  test("in random bodies, cut at random", () => {
    const random = seededRandom(20_261_124);
    const seen = { found: 0, missing: 0, invalid: 0 };
    for (let count = 0; count < BODIES; count += 1) {
      const { boundary, bytes, verdict } = randomBody(random);
      const pieces = random(10) === 0 ? cutAt(bytes, ...bytes.keys()) : randomPieces(bytes, random);
      const given = scanMultipart(boundary, pieces);
      if (!Bun.deepEquals(given, verdict)) {
        const body = bytes.toString("latin1");
        expect({ count, boundary, body, verdict: given }).toEqual({
          count,
          boundary,
          body,
          verdict,
        });
      }
      seen[verdict.kind] += 1;
    }
    expect(seen.found).toBeGreaterThan(BODIES / 4); // otherwise the bodies prove nothing
    expect(seen.missing).toBeGreaterThan(BODIES / 4);
  });

  test("or reports the early end, in random bodies that break off", () => {
    const random = seededRandom(11);
    let brokenOff = 0;
    for (let count = 0; count < BODIES; count += 1) {
      const { boundary, bytes: whole, verdict } = randomBody(random);
      const bytes = whole.subarray(0, 1 + random(whole.length - 1));
      if (endsClosed(bytes, boundary)) continue;
      const given = scanMultipart(boundary, randomPieces(bytes, random));
      if (given.kind === "invalid" && given.offset === bytes.length) brokenOff += 1;
      else if (!Bun.deepEquals(given, verdict)) {
        const body = bytes.toString("latin1");
        expect({ count, boundary, body, verdict: given }).toEqual({
          count,
          boundary,
          body,
          verdict,
        });
      }
    }
    expect(brokenOff).toBeGreaterThan(BODIES / 4);
  });
});

function randomPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const positions = Array.from({ length: random(8) }, () => random(bytes.length + 1));
  return cutAt(bytes, ...positions.sort((a, b) => a - b));
}
