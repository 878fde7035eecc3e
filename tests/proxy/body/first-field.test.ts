import { describe, expect, test } from "bun:test";
import { modelAtStart } from "../../../src/proxy/body/first-field.ts";
import { ModelScanner } from "../../../src/proxy/body/model-field.ts";

/** The scanner's result, which modelAtStart() must never contradict. */
function scanned(body: string): string | undefined {
  const scanner = new ModelScanner();
  const verdict = scanner.push(Buffer.from(body)) ?? scanner.end();
  return verdict.kind === "found" ? verdict.model : undefined;
}

const LONG = "m".repeat(127);

describe("modelAtStart()", () => {
  test.each([
    ["m", '{"model":"m"}'],
    ["m", '{"model": "m", "messages": []}'],
    ["a/b:c d~ {}", '{"model":"a/b:c d~ {}"'],
    [LONG, `{"model":"${LONG}"`],
  ])("finds %j", (model, body) => {
    expect(modelAtStart(Buffer.from(body))).toBe(model);
    expect(scanned(body)).toBe(model);
  });

  test.each([
    "",
    "{",
    '{"model"',
    '{"model":',
    '{"model":"',
    '{"model":"m',
    '{"model":""}',
    '{"model":  "m"}',
    '{ "model":"m"}',
    '\ufeff{"model":"m"}',
    '{"modem":"m"}',
    '{"model" :"m"}',
    '{"model":null}',
    '{"model":"a\\u0062"}',
    '{"model":"é"}',
    '{"model":"a\u007f"}',
    '{"model":"a\n"}',
    `{"model":"m${LONG}"}`,
    '{"messages":[],"model":"m"}',
    '["model":"m"]',
  ])("leaves %j to the scanner", (body) => {
    expect(modelAtStart(Buffer.from(body))).toBeUndefined();
  });

  test("never contradicts the scanner, with any byte at any position", () => {
    const body = Buffer.from('{"model": "mo del","x":1}');
    for (let at = 0; at < body.length; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const changed = Buffer.from(body);
        changed[at] = byte;
        const scanner = new ModelScanner();
        const verdict = scanner.push(changed);
        const found = modelAtStart(changed);
        if (found !== undefined) expect(verdict).toEqual({ kind: "found", model: found });
      }
    }
  });
});
