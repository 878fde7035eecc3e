/**
 * Path → the name that is reported in its place: one of a short list, never what a client wrote. Routes no
 * request. Pure.
 */

export type Route = {
  /** As `http.route`. */
  readonly name: string;
  /** `gen_ai.operation.name`; undefined if the conventions have none for it. */
  readonly operation: "chat" | "text_completion" | "embeddings" | undefined;
  /** `gen_ai.provider.name`: whose API it is. */
  readonly provider: "openai" | "anthropic";
};

/** The APIs of vLLM, SGLang, llama.cpp and Ollama below /v1, of OpenAI and of Anthropic. */
const ROUTES: readonly Route[] = [
  { name: "/v1/chat/completions", operation: "chat", provider: "openai" },
  { name: "/v1/completions", operation: "text_completion", provider: "openai" },
  { name: "/v1/embeddings", operation: "embeddings", provider: "openai" },
  { name: "/v1/responses", operation: "chat", provider: "openai" },
  { name: "/v1/messages", operation: "chat", provider: "anthropic" },
  { name: "/v1/messages/count_tokens", operation: undefined, provider: "anthropic" },
  ...[
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/chat/completions/batch",
    "/v1/chat/completions/input_tokens",
    "/v1/classify",
    "/v1/detokenize",
    "/v1/images/edits",
    "/v1/images/generations",
    "/v1/images/variations",
    "/v1/load_lora_adapter",
    "/v1/moderations",
    "/v1/pooling",
    "/v1/rerank",
    "/v1/responses/input_tokens",
    "/v1/score",
    "/v1/tokenize",
    "/v1/unload_lora_adapter",
  ].map((name) => unnamed(name)),
];

const BY_PATH: ReadonlyMap<string, Route> = new Map(ROUTES.map((route) => [route.name, route]));

const RESPONSE = unnamed("/v1/responses/{response_id}");
const RESPONSE_ACTION = unnamed("/v1/responses/{response_id}/{action}");
const OTHER = unnamed("/v1/*");

export function routeOf(path: string): Route {
  const known = BY_PATH.get(path);
  if (known !== undefined) return known;
  if (/^\/v1\/responses\/[^/]+$/.test(path)) return RESPONSE;
  return /^\/v1\/responses\/[^/]+\/[^/]+$/.test(path) ? RESPONSE_ACTION : OTHER;
}

function unnamed(name: string): Route {
  return { name, operation: undefined, provider: "openai" };
}
