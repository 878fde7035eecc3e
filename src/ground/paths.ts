/**
 * The paths that the proxy knows by name, each written here alone: its public prefix, what it answers
 * itself, and those below the prefix that it treats in a way of their own. All other paths below the prefix
 * are passed on without being known.
 */

/** Of all that is routed to a server, whose own base path takes its place. */
export const PUBLIC_PREFIX = "/v1";

export const HEALTHZ = "/healthz";
export const READYZ = "/readyz";
export const STATUS = "/status";
export const METRICS = "/metrics";

/** The list of models; each model has a path of its own below it. */
export const MODELS = `${PUBLIC_PREFIX}/models`;

/** Where responses are made; each has a path of its own below it. */
export const RESPONSES = `${PUBLIC_PREFIX}/responses`;
/** They count tokens and shorten a conversation, and are about no response that is there. */
export const RESPONSES_INPUT_TOKENS = `${RESPONSES}/input_tokens`;
export const RESPONSES_COMPACT = `${RESPONSES}/compact`;

/** vLLM: they name an adapter, and no model. */
export const LOAD_LORA = `${PUBLIC_PREFIX}/load_lora_adapter`;
export const UNLOAD_LORA = `${PUBLIC_PREFIX}/unload_lora_adapter`;

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
