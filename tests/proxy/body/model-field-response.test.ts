import { describe, expect, test } from "bun:test";
import { cutAt, scanModel } from "../../support/proxy/scan-model.ts";

const scan = (text: string) => scanModel([Buffer.from(text)]);

describe("ModelScanner finds the previous response of a body without a model", () => {
  const ID = "r".repeat(256);

  test.each<[what: string, body: string, previousResponseId: string | undefined]>([
    ["first", '{"previous_response_id":"resp_1","input":[{"a":"}"}]}', "resp_1"],
    ["last", '{"input":"previous_response_id","previous_response_id" : "resp_1"}', "resp_1"],
    ["under a key with escapes", `{"\\u0070revious${"\\u005f"}response_id":"r"}`, "r"],
    ["with escapes in it", '{"previous_response_id":"a\\u0062"}', "ab"],
    ["beside a null model", '{"model":null,"previous_response_id":"r"}', "r"],
    ["as the first of two", '{"previous_response_id":"a","previous_response_id":"b"}', "a"],
    ["after an empty id", '{"previous_response_id":"","previous_response_id":"b"}', "b"],
    ["of 256 bytes", `{"previous_response_id":"${ID}"}`, ID],
    ["but not a longer one", `{"previous_response_id":"${ID}r"}`, undefined],
    ["but not a null", '{"previous_response_id":null}', undefined],
    ["but not an object", '{"previous_response_id":{"a":"b"}}', undefined],
    ["but not a nested one", '{"a":{"previous_response_id":"r"}}', undefined],
    ["but not an invalid string", '{"previous_response_id":"\\q"}', undefined],
  ])("%s", (_what, body, previousResponseId) => {
    for (const pieces of [
      [Buffer.from(body)],
      cutAt(Buffer.from(body), ...body.split("").keys()),
    ]) {
      const verdict = scanModel(pieces);
      expect(verdict).toMatchObject({ kind: "missing" });
      expect(verdict.kind === "missing" && verdict.previousResponseId).toBe(
        previousResponseId as string,
      );
    }
  });

  test("but stops at a model, before or after it", () => {
    expect(scan('{"previous_response_id":"r","model":"m"')).toEqual({ kind: "found", model: "m" });
    expect(scan('{"model":"m","previous_response_id"')).toEqual({ kind: "found", model: "m" });
  });
});
