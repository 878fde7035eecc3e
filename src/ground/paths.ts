/**
 * All paths that the proxy knows by name: its public prefix, the paths that it answers itself, the paths
 * below the prefix that it treats specially, and the few paths outside the prefix that it passes on. It also
 * passes on all other paths below the prefix, without knowing them.
 */

/** The prefix of all routed paths except the unprefixed ones. The base path of the server replaces it. */
export const PUBLIC_PREFIX = "/v1";

export const HEALTHZ = "/healthz";
/** The name that most servers use. */
export const HEALTH = "/health";
export const READYZ = "/readyz";
export const STATUS = "/status";
export const METRICS = "/metrics";
/** The page for browsers. */
export const PAGE = "/";
/** The routed servers as targets for Prometheus. */
export const SCRAPE_TARGETS = "/sd/prometheus";

/** The list of models. Each model has its own path below it. */
export const MODELS = `${PUBLIC_PREFIX}/models`;

/** Creates responses. Each response has its own path below it. */
export const RESPONSES = `${PUBLIC_PREFIX}/responses`;
/** These are not ids of responses: the first counts tokens, the second shortens a conversation. */
export const RESPONSES_INPUT_TOKENS = `${RESPONSES}/input_tokens`;
export const RESPONSES_COMPACT = `${RESPONSES}/compact`;

/** vLLM: the bodies name an adapter and no model. */
export const LOAD_LORA = `${PUBLIC_PREFIX}/load_lora_adapter`;
export const UNLOAD_LORA = `${PUBLIC_PREFIX}/unload_lora_adapter`;

/** Whether a path loads or unloads adapters. */
export function isLoraPath(path: string): boolean {
  return path === LOAD_LORA || path === UNLOAD_LORA;
}

/** Ollama's own API. Its other paths manage models: the proxy never passes them on. */
export const OLLAMA_CHAT = "/api/chat";
export const OLLAMA_GENERATE = "/api/generate";
export const OLLAMA_EMBED = "/api/embed";
/** text-embeddings-inference's own API. */
export const TEI_EMBED = "/embed";
export const TEI_EMBED_SPARSE = "/embed_sparse";

/**
 * The inference paths outside the prefix, of vLLM, SGLang, text-embeddings-inference, llama.cpp and Ollama.
 * The proxy passes on a POST that names a model, with the path unchanged. This is a list and not a prefix,
 * because on other paths a body with a `model` loads or deletes models.
 */
export const UNPREFIXED_PATHS: ReadonlySet<string> = new Set([
  ...["/rerank", "/v2/rerank", "/score", "/classify", "/pooling", "/predict"],
  ...["/tokenize", "/detokenize", "/infill"],
  ...[TEI_EMBED, TEI_EMBED_SPARSE, OLLAMA_CHAT, OLLAMA_GENERATE, OLLAMA_EMBED],
]);

/** Paths below the prefix that compute an answer from the request alone, and change nothing. */
const INFERENCE =
  /^\/v1\/(?:chat\/completions|completions|embeddings|messages|messages\/count_tokens|responses|responses\/(?:input_tokens|compact)|audio\/(?:speech|transcriptions|translations)|images\/(?:generations|edits|variations)|moderations|rerank|score|classify|pooling|tokenize|detokenize|infill)$/;

/** Whether it is harmless to send a POST there twice. */
export function isInferencePath(path: string): boolean {
  return UNPREFIXED_PATHS.has(path) || INFERENCE.test(path);
}

/** Paths of the OpenAI and Anthropic APIs as they look when the base URL lacks the prefix. */
const WITHOUT_PREFIX =
  /^\/(?:chat\/completions|completions|embeddings|messages|responses|models|audio|images|moderations|files|batches|conversations|vector_stores)(?:\/|$)/;

/** Whether a path would be a path of the API with the prefix before it. */
export function lacksPrefix(path: string): boolean {
  return WITHOUT_PREFIX.test(path);
}

/** The path of a response or a path below it. Captures the id of the response. */
const BELOW_RESPONSE = new RegExp(`^${RESPONSES}/([^/]+)`);

/** @returns the id of the response in a path, as written there; undefined if the path has no such id */
export function responseIdIn(path: string): string | undefined {
  if (path === RESPONSES_INPUT_TOKENS || path === RESPONSES_COMPACT) return undefined;
  return BELOW_RESPONSE.exec(path)?.[1];
}

/** Objects that one server creates and keeps under an id. Requests for them name no model. */
const ID_ROUTE = new RegExp(
  `^${PUBLIC_PREFIX}/(?:files|batches|conversations|vector_stores)(?:/|$)`,
);

/** Whether a path is about objects that only the server that created them has: files, batches and so on. */
export function isIdRoute(path: string): boolean {
  return ID_ROUTE.test(path);
}
