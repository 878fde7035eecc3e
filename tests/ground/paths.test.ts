import { expect, test } from "bun:test";
import { isIdRoute, responseIdIn } from "../../src/ground/paths.ts";

test.each<[path: string, id: string | undefined]>([
  ["/v1/responses/resp_1", "resp_1"],
  ["/v1/responses/resp_1/cancel", "resp_1"],
  ["/v1/responses/a%2Fb", "a%2Fb"],
  ["/v1/responses/input_tokens", undefined],
  ["/v1/responses/compact", undefined],
  ["/v1/responses/input_tokens/x", "input_tokens"],
  ["/v1/responses/input_tokens_2", "input_tokens_2"],
  ["/v1/responses/", undefined],
  ["/v1/responses", undefined],
  ["/x/v1/responses/resp_1", undefined],
])("responseIdIn(%p) is %p", (path, id) => {
  expect(responseIdIn(path)).toBe(id);
});

test.each([
  ["/v1/files", true],
  ["/v1/files/", true],
  ["/v1/files/file-1/content", true],
  ["/v1/batches/b/cancel", true],
  ["/v1/conversations/c/items", true],
  ["/v1/vector_stores/v/search", true],
  ["/v1/filesystem", false],
  ["/v1/x/files", false],
  ["/files", false],
  ["/v1/chat/completions", false],
])("isIdRoute(%p) is %p", (path, expected) => {
  expect(isIdRoute(path)).toBe(expected);
});
