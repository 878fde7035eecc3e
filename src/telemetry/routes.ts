/**
 * Maps a path to the name to report: a name from a short list, never a text from a client. Routes no request.
 * Pure.
 */
import {
  LOAD_LORA,
  OLLAMA_CHAT,
  OLLAMA_EMBED,
  OLLAMA_GENERATE,
  PUBLIC_PREFIX,
  RESPONSES,
  RESPONSES_COMPACT,
  RESPONSES_INPUT_TOKENS,
  TEI_EMBED,
  TEI_EMBED_SPARSE,
  UNLOAD_LORA,
  UNPREFIXED_PATHS,
} from "../ground/paths.ts";

export type Route = {
  /** The value of `http.route`. */
  readonly name: string;
  /** `gen_ai.operation.name`; undefined if the conventions have no name. */
  readonly operation: "chat" | "text_completion" | "embeddings" | undefined;
  /** `gen_ai.provider.name`: the owner of the API. Only used with an operation. */
  readonly provider: "openai" | "anthropic" | "ollama" | "huggingface";
};

type Operation = Route["operation"];

/** The unprefixed paths with an operation. All other unprefixed paths have none. */
const UNPREFIXED: readonly Route[] = [
  route(OLLAMA_CHAT, "chat", "ollama"),
  route(OLLAMA_GENERATE, "text_completion", "ollama"),
  route(OLLAMA_EMBED, "embeddings", "ollama"),
  route(TEI_EMBED, "embeddings", "huggingface"),
  route(TEI_EMBED_SPARSE, "embeddings", "huggingface"),
];

/** The APIs of vLLM, SGLang, llama.cpp and Ollama, of OpenAI and of Anthropic. */
const ROUTES: readonly Route[] = [
  below("/chat/completions", "chat"),
  below("/completions", "text_completion"),
  below("/embeddings", "embeddings"),
  below("/messages", "chat", "anthropic"),
  below("/messages/count_tokens", undefined, "anthropic"),
  below("/audio/speech"),
  below("/audio/transcriptions"),
  below("/audio/translations"),
  below("/chat/completions/batch"),
  below("/chat/completions/input_tokens"),
  below("/classify"),
  below("/detokenize"),
  below("/images/edits"),
  below("/images/generations"),
  below("/images/variations"),
  below("/moderations"),
  below("/pooling"),
  below("/realtime"),
  below("/rerank"),
  below("/score"),
  below("/tokenize"),
  route(RESPONSES, "chat"),
  route(RESPONSES_INPUT_TOKENS),
  route(RESPONSES_COMPACT),
  route(LOAD_LORA),
  route(UNLOAD_LORA),
  ...[...UNPREFIXED_PATHS].map((path) => route(path)),
  ...UNPREFIXED,
];

const BY_PATH: ReadonlyMap<string, Route> = new Map(ROUTES.map((known) => [known.name, known]));

const RESPONSE = route(`${RESPONSES}/{response_id}`);
const RESPONSE_ACTION = route(`${RESPONSES}/{response_id}/{action}`);
const OTHER = below("/*");

/** One or two segments below responses. */
const RESPONSE_PATH = new RegExp(`^${RESPONSES}/[^/]+(/[^/]+)?$`);

/**
 * @param method only a POST is an operation: a GET on the same path is a WebSocket handshake or reads a list
 */
export function routeOf(path: string, method: string): Route {
  const found = find(path);
  if (method === "POST" || found.operation === undefined) return found;
  return { ...found, operation: undefined };
}

function find(path: string): Route {
  const known = BY_PATH.get(path);
  if (known !== undefined) return known;
  const response = RESPONSE_PATH.exec(path);
  if (response === null) return OTHER;
  return response[1] === undefined ? RESPONSE : RESPONSE_ACTION;
}

function below(path: string, operation?: Operation, provider?: Route["provider"]): Route {
  return route(`${PUBLIC_PREFIX}${path}`, operation, provider);
}

function route(name: string, operation?: Operation, provider: Route["provider"] = "openai"): Route {
  return { name, operation, provider };
}
