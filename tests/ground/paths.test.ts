import { expect, test } from "bun:test";
import { responseIdIn } from "../../src/ground/paths.ts";

test.each<[path: string, id: string | undefined]>([
  ["/v1/responses/resp_1", "resp_1"],
  ["/v1/responses/resp_1/cancel", "resp_1"],
  ["/v1/responses/a%2Fb", "a%2Fb"],
  ["/v1/responses/input_tokens", undefined],
  ["/v1/responses/input_tokens/x", "input_tokens"],
  ["/v1/responses/input_tokens_2", "input_tokens_2"],
  ["/v1/responses/", undefined],
  ["/v1/responses", undefined],
  ["/x/v1/responses/resp_1", undefined],
])("responseIdIn(%p) is %p", (path, id) => {
  expect(responseIdIn(path)).toBe(id);
});
