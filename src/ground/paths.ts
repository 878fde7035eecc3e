/**
 * The paths that the proxy knows by name, each written here alone: its public prefix, what it answers
 * itself, those below the prefix that it treats in a way of their own, and the few outside it that it passes
 * on. All other paths below the prefix are passed on without being known.
 */

/** Of all that is routed to a server, whose own base path takes its place, but for the unprefixed paths. */
export const PUBLIC_PREFIX = "/v1";

export const HEALTHZ = "/healthz";
/** What most servers call it. */
export const HEALTH = "/health";
export const READYZ = "/readyz";
export const STATUS = "/status";
export const METRICS = "/metrics";
/** The page for people with a browser. */
export const PAGE = "/";
/** The routed servers as targets for Prometheus. */
export const SCRAPE_TARGETS = "/sd/prometheus";

/** The list of models; each model has a path of its own below it. */
export const MODELS = `${PUBLIC_PREFIX}/models`;

/** Where responses are made; each has a path of its own below it. */
export const RESPONSES = `${PUBLIC_PREFIX}/responses`;
/** These are no ids of responses: one counts tokens, the other shortens a conversation. */
export const RESPONSES_INPUT_TOKENS = `${RESPONSES}/input_tokens`;
export const RESPONSES_COMPACT = `${RESPONSES}/compact`;

/** vLLM: they name an adapter, and no model. */
export const LOAD_LORA = `${PUBLIC_PREFIX}/load_lora_adapter`;
export const UNLOAD_LORA = `${PUBLIC_PREFIX}/unload_lora_adapter`;

/** Says whether a path loads or unloads adapters. */
export function isLoraPath(path: string): boolean {
  return path === LOAD_LORA || path === UNLOAD_LORA;
}

/** Ollama's own API. Its other paths manage models, and are never passed on. */
export const OLLAMA_CHAT = "/api/chat";
export const OLLAMA_GENERATE = "/api/generate";
export const OLLAMA_EMBED = "/api/embed";
/** text-embeddings-inference's own API. */
export const TEI_EMBED = "/embed";
export const TEI_EMBED_SPARSE = "/embed_sparse";

/**
 * The inference paths that servers have outside the prefix: those of vLLM, SGLang, text-embeddings-inference,
 * llama.cpp and Ollama. A POST that names its model reaches them as they are. This is a list, and no prefix,
 * since bodies with a `model` also load and delete models elsewhere.
 */
export const UNPREFIXED_PATHS: ReadonlySet<string> = new Set([
  ...["/rerank", "/v2/rerank", "/score", "/classify", "/pooling", "/predict"],
  ...["/tokenize", "/detokenize", "/infill"],
  ...[TEI_EMBED, TEI_EMBED_SPARSE, OLLAMA_CHAT, OLLAMA_GENERATE, OLLAMA_EMBED],
]);

/** Paths below the prefix that compute an answer from the request alone, and change nothing. */
const INFERENCE =
  /^\/v1\/(?:chat\/completions|completions|embeddings|messages|messages\/count_tokens|responses|responses\/(?:input_tokens|compact)|audio\/(?:speech|transcriptions|translations)|images\/(?:generations|edits|variations)|moderations|rerank|score|classify|pooling|tokenize|detokenize|infill)$/;

/** Says whether it does no harm to send a POST there twice. */
export function isInferencePath(path: string): boolean {
  return UNPREFIXED_PATHS.has(path) || INFERENCE.test(path);
}

/** Paths of the APIs of OpenAI and Anthropic as they look if the base URL lacks the prefix. */
const WITHOUT_PREFIX =
  /^\/(?:chat\/completions|completions|embeddings|messages|responses|models|audio|images|moderations|files|batches|conversations|vector_stores)(?:\/|$)/;

/** Says whether a path would be one of the API's if the prefix stood before it. */
export function lacksPrefix(path: string): boolean {
  return WITHOUT_PREFIX.test(path);
}

/** A path below that of a response, with the id of that response. */
const BELOW_RESPONSE = new RegExp(`^${RESPONSES}/([^/]+)`);

/** @returns the id of the response that a path is about, as it is written there; undefined if it is about none */
export function responseIdIn(path: string): string | undefined {
  if (path === RESPONSES_INPUT_TOKENS || path === RESPONSES_COMPACT) return undefined;
  return BELOW_RESPONSE.exec(path)?.[1];
}

/** What one server makes and keeps, and gives an id. Its requests name no model. */
const ID_ROUTE = new RegExp(
  `^${PUBLIC_PREFIX}/(?:files|batches|conversations|vector_stores)(?:/|$)`,
);

/** Says whether a path is about what only the server has that made it: files, batches and such. */
export function isIdRoute(path: string): boolean {
  return ID_ROUTE.test(path);
}
