/** The same raw requests to the real llama.cpp, directly and through the compiled binary, get the same answers. */
import { expect, test } from "bun:test";
import { type RawRequest, send } from "../../support/llama-cpp/exchange.ts";
import { useLlamaStage } from "../../support/llama-cpp/stage.ts";

type Server = "chat" | "embeddings" | "rerank" | "router";
type Case = readonly [what: string, server: Server, request: RawRequest];

const MESSAGES = [{ role: "user", content: "hello" }];
const TOOL = {
  type: "function",
  function: { name: "look", description: "looks", parameters: { type: "object", properties: {} } },
};
const PICTURE = `data:image/png;base64,${"A".repeat(200_000)}`;

function chat(what: string, more: object): Case {
  const body = { model: "chat", max_tokens: 8, messages: MESSAGES, ...more };
  return [`chat: ${what}`, "chat", { path: "/v1/chat/completions", body }];
}

function completion(what: string, more: object): Case {
  const body = { model: "chat", max_tokens: 8, prompt: "hello", ...more };
  return [`completions: ${what}`, "chat", { path: "/v1/completions", body }];
}

function response(what: string, more: object): Case {
  const body = { model: "chat", max_output_tokens: 8, input: "hello", ...more };
  return [`responses: ${what}`, "chat", { path: "/v1/responses", body }];
}

function message(what: string, more: object): Case {
  const body = { model: "chat", max_tokens: 8, messages: MESSAGES, ...more };
  return [`messages: ${what}`, "chat", { path: "/v1/messages", body }];
}

function embedding(what: string, more: object): Case {
  const body = { model: "embed", input: "hello", ...more };
  return [`embeddings: ${what}`, "embeddings", { path: "/v1/embeddings", body }];
}

function rerank(what: string, more: object): Case {
  const body = { model: "rerank", query: "hello", documents: ["hell", "zebra", "o"], ...more };
  return [`rerank: ${what}`, "rerank", { path: "/v1/rerank", body }];
}

function routed(what: string, more: object): Case {
  const body = { model: "tiny", max_tokens: 8, messages: MESSAGES, ...more };
  return [`router: ${what}`, "router", { path: "/v1/chat/completions", body }];
}

function outsideV1(path: string, more: object, server: Server = "chat"): Case {
  return [`outside /v1: ${path}`, server, { path, body: { model: server, ...more } }];
}

/** A case where the exact bytes of the request matter, not only its JSON. */
function bytes(what: string, request: Omit<RawRequest, "path">): Case {
  return [`bytes: ${what}`, "chat", { path: "/v1/chat/completions", ...request }];
}

const PLAIN = { max_tokens: 8, messages: MESSAGES, model: "chat" };

const CASES: readonly Case[] = [
  chat("whole", {}),
  chat("streamed", { stream: true }),
  chat("streamed, with usage", { stream: true, stream_options: { include_usage: true } }),
  chat("one token", { max_tokens: 1 }),
  chat("200 tokens, streamed", { max_tokens: 200, stream: true }),
  chat("a system message and a history", {
    messages: [
      { role: "system", content: "Be brief." },
      ...MESSAGES,
      { role: "assistant", content: "Hi." },
      ...MESSAGES,
    ],
  }),
  chat("no ASCII", { messages: [{ role: "user", content: "grüß dich 你好 👋🏽 \u0000\u2028" }] }),
  chat("content in parts", {
    messages: [{ role: "user", content: [{ type: "text", text: "hello" }] }],
  }),
  chat("a picture, which the model cannot see", {
    messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: PICTURE } }] }],
  }),
  chat("greedy", { temperature: 0 }),
  chat("another seed", { seed: 7 }),
  chat("two answers", { n: 2 }),
  chat("log probabilities", { logprobs: true, top_logprobs: 3 }),
  chat("log probabilities, streamed", { logprobs: true, top_logprobs: 3, stream: true }),
  chat("logit bias", { logit_bias: { "50": 5 } }),
  chat("a stop text", { stop: ["a", "b", "c", "d"], max_tokens: 200 }),
  chat("tools", { tools: [TOOL] }),
  chat("a tool that must be called", { tools: [TOOL], tool_choice: "required", max_tokens: 60 }),
  chat("a JSON schema", {
    max_tokens: 60,
    response_format: {
      type: "json_schema",
      json_schema: {
        name: "x",
        schema: { type: "object", properties: { a: { type: "boolean" } } },
      },
    },
  }),
  chat("a grammar", { grammar: 'root ::= "yes" | "no"' }),
  chat("no messages", { messages: undefined }),
  chat("messages that are not a list", { messages: "hello" }),
  chat("an empty conversation", { messages: [] }),
  chat("an invalid role", { messages: [{ role: 7, content: "hello" }] }),
  chat("more than its context holds", { messages: [{ role: "user", content: "x".repeat(9_000) }] }),
  completion("whole", {}),
  completion("streamed", { stream: true }),
  completion("several prompts", { prompt: ["hello", "goodbye"] }),
  completion("tokens for a prompt", { prompt: [107, 104, 111] }),
  completion("log probabilities", { logprobs: 2 }),
  completion("no prompt", { prompt: undefined }),
  response("whole", {}),
  response("streamed", { stream: true }),
  response("instructions", { instructions: "Be brief." }),
  response("input in parts", { input: [{ role: "user", content: "hello" }] }),
  response("no input", { input: undefined }),
  message("whole", {}),
  message("streamed", { stream: true }),
  message("a system prompt", { system: "Be brief." }),
  message("a stop text", { stop_sequences: ["a", "b", "c"], max_tokens: 200 }),
  message("no messages", { messages: undefined }),
  ["messages: count_tokens", "chat", { path: "/v1/messages/count_tokens", body: PLAIN }],
  ["chat: input_tokens", "chat", { path: "/v1/chat/completions/input_tokens", body: PLAIN }],
  embedding("one text", {}),
  embedding("several texts", { input: ["hello", "goodbye", "grüß dich"] }),
  embedding("as base64", { encoding_format: "base64" }),
  embedding("no input", { input: undefined }),
  rerank("documents", {}),
  rerank("the two best", { top_n: 2 }),
  rerank("the texts field of TEI", { documents: undefined, texts: ["hell", "zebra"] }),
  rerank("no query", { query: undefined }),
  routed("whole", {}),
  routed("streamed", { stream: true }),
  routed("the other model", { model: "other" }),
  outsideV1("/tokenize", { content: "hello" }),
  outsideV1("/detokenize", { tokens: [110, 107, 114, 114, 117] }),
  outsideV1("/infill", { input_prefix: "a", input_suffix: "b", n_predict: 8 }),
  outsideV1("/rerank", { query: "hello", documents: ["hell", "o"] }, "rerank"),
  [
    "an endpoint that the server was not started for",
    "chat",
    { path: "/v1/embeddings", body: { model: "chat", input: "hello" } },
  ],
  ["a path that the server does not know", "chat", { path: "/v1/none/%20?a=1&b=%2F", body: PLAIN }],
  bytes("the model comes last, and its name is escaped", {
    body: `{ "messages" :\n\t[{"role":"user","content":"hello"}] , "max_tokens":8, "\\u006dodel" : "ch\\u0061t" }`,
  }),
  bytes("chunked, a few bytes at a time", { body: PLAIN, chunkBytes: 7 }),
  bytes("another content type", { body: PLAIN, headers: { "Content-Type": "text/plain" } }),
  bytes("headers of a browser", {
    body: PLAIN,
    headers: { Origin: "https://example.com", Cookie: "a=b; c=d", "Accept-Encoding": "gzip, br" },
  }),
];

const llama = useLlamaStage("chat", "embeddings", "rerank", "router");

test("there are at least 50 cases", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(50);
});

test.each(CASES)("%s", async (_what, server, request) => {
  const direct = await send(await llama.servers[server].origin(), request);
  const proxied = await send(llama.origin, request);
  expect(proxied).toEqual(direct);
});

test("the proxy does not offer the paths that control the server", async () => {
  const direct = await llama.servers.chat.origin();
  for (const path of ["/props", "/slots/0?action=erase", "/lora-adapters"]) {
    const request = { path, body: { model: "chat" } };
    expect((await send(direct, request)).status).not.toBe("404");
    const { status, body } = await send(llama.origin, request);
    expect([status, JSON.parse(body)]).toEqual([
      "404",
      { type: "error", error: expect.objectContaining({ code: "not_found" }) },
    ]);
  }
});
