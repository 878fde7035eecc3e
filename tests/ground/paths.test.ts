import { expect, test } from "bun:test";
import { isIdRoute, isInferencePath, isLoraPath, responseIdIn } from "../../src/ground/paths.ts";

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

test("isLoraPath() is true for the two paths that load and unload, and for no other path", () => {
  const paths = [
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v1/load_lora_adapter/x",
    "/v1",
  ];
  expect(paths.map(isLoraPath)).toEqual([true, true, false, false]);
});

test.each<[path: string, is: boolean]>([
  ["/v1/chat/completions", true],
  ["/v1/completions", true],
  ["/v1/embeddings", true],
  ["/v1/messages", true],
  ["/v1/messages/count_tokens", true],
  ["/v1/responses", true],
  ["/v1/responses/compact", true],
  ["/v1/audio/transcriptions", true],
  ["/v1/images/generations", true],
  ["/rerank", true],
  ["/api/chat", true],
  ["/v1/responses/resp_1/cancel", false],
  ["/v1/messages/batches", false],
  ["/v1/files", false],
  ["/v1/batches", false],
  ["/v1/load_lora_adapter", false],
  ["/v1/fine_tuning/jobs", false],
  ["/v1/chat/completions/x", false],
])("isInferencePath(%p) is %p", (path, is) => {
  expect(isInferencePath(path)).toBe(is);
});
