import { expect, test } from "bun:test";
import { UNPREFIXED_PATHS } from "../../src/ground/paths.ts";
import { routeOf } from "../../src/telemetry/routes.ts";

test.each([
  ["/v1/chat/completions", "/v1/chat/completions", "chat", "openai"],
  ["/v1/completions", "/v1/completions", "text_completion", "openai"],
  ["/v1/embeddings", "/v1/embeddings", "embeddings", "openai"],
  ["/v1/responses", "/v1/responses", "chat", "openai"],
  ["/v1/messages", "/v1/messages", "chat", "anthropic"],
  ["/v1/messages/count_tokens", "/v1/messages/count_tokens", undefined, "anthropic"],
  ["/v1/audio/speech", "/v1/audio/speech", undefined, "openai"],
  ["/v1/responses/input_tokens", "/v1/responses/input_tokens", undefined, "openai"],
  ["/api/chat", "/api/chat", "chat", "ollama"],
  ["/api/generate", "/api/generate", "text_completion", "ollama"],
  ["/api/embed", "/api/embed", "embeddings", "ollama"],
  ["/embed", "/embed", "embeddings", "huggingface"],
  ["/embed_sparse", "/embed_sparse", "embeddings", "huggingface"],
  ["/v2/rerank", "/v2/rerank", undefined, "openai"],
  ["/v1/realtime", "/v1/realtime", undefined, "openai"],
  ["/v1/realtime/sessions", "/v1/*", undefined, "openai"],
  ["/v1/responses/compact", "/v1/responses/compact", undefined, "openai"],
  ["/v1/responses/resp_1", "/v1/responses/{response_id}", undefined, "openai"],
  ["/v1/responses/resp_1/cancel", "/v1/responses/{response_id}/{action}", undefined, "openai"],
  ["/v1/responses/resp_1/a/b", "/v1/*", undefined, "openai"],
  ["/v1/chat/completions/", "/v1/*", undefined, "openai"],
  ["/v1/whatever/a/client/writes", "/v1/*", undefined, "openai"],
])("routeOf(%s) is %s", (path, name, operation, provider) => {
  expect(routeOf(path, "POST")).toEqual({ name, operation, provider } as ReturnType<
    typeof routeOf
  >);
});

test("only a POST is an operation, not a WebSocket handshake or a GET of a list", () => {
  const operation = (method: string): unknown => routeOf("/v1/responses", method).operation;
  expect(["POST", "GET", "HEAD"].map(operation)).toEqual(["chat", undefined, undefined]);
});

test("every unprefixed path is its own route", () => {
  const paths = [...UNPREFIXED_PATHS];
  expect(paths.map((path) => routeOf(path, "POST").name)).toEqual(paths);
});
