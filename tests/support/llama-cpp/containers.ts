/** Containers of the real llama.cpp server, with the settings that users choose. */
import { type Server, type ServerInit, startServer } from "../engine/real.ts";
import { buildLlamaImage, LLAMA_PORT, largeModel, MODELS_FOLDER, TINY_MODEL } from "./image.ts";

/** The same seed for every request, and no cache: the same question gets the same answer. */
const REPEATABLE = ["--seed", "1", "--no-cache-prompt", "--cache-ram", "0"];
/** Answers of any length, two at a time, whatever other requests there are. */
const ENDLESS = ["--context-shift", "--parallel", "2", "--no-kv-unified"];
/** Shows a test how many requests wait for a slot. */
const METRICS = ["--metrics"];

export const KEY = "our-key";

/** `MODELS` has the models of each. */
const KINDS = {
  chat: {
    args: [
      ...["--model", TINY_MODEL, "--alias", "chat,chat-alias"],
      ...[...ENDLESS, ...METRICS, ...REPEATABLE],
    ],
  },
  embeddings: {
    args: ["--model", TINY_MODEL, "--alias", "embed", "--embeddings", "--pooling", "mean"],
  },
  /**
   * Our model has no ranking head. With several slots llama.cpp mixes up the scores of texts that it computes
   * together.
   */
  rerank: { args: ["--model", TINY_MODEL, "--alias", "rerank", "--rerank", "--parallel", "1"] },
  /** Two models. The server loads each at the first request for it. */
  router: { args: ["--models-dir", MODELS_FOLDER, ...REPEATABLE] },
  /** The server's own list is public, and differs from the label. */
  keyed: {
    args: ["--model", TINY_MODEL, "--alias", "unlisted", "--api-key", KEY, ...REPEATABLE],
    labels: { "inference.models": "keyed, keyed-too" },
  },
} as const satisfies Record<string, ServerInit>;

export type Kind = keyof typeof KINDS | "slow";

/** The models of each kind in the proxy's `GET /v1/models`. */
export const MODELS: Readonly<Record<Kind, readonly string[]>> = {
  chat: ["chat"],
  embeddings: ["embed"],
  rerank: ["rerank"],
  router: ["other", "tiny"],
  keyed: ["keyed", "keyed-too"],
  slow: ["slow"],
};

/** Starts a container. Does not wait until it is healthy. */
export async function startLlama(kind: Kind, more: ServerInit = {}): Promise<Server> {
  const base: ServerInit = kind === "slow" ? await slow() : KINDS[kind];
  return startServer({
    ...base,
    ...more,
    image: await buildLlamaImage(),
    labels: { "inference.port": LLAMA_PORT, ...base.labels, ...more.labels },
    flags: [...(base.flags ?? []), ...(more.flags ?? [])],
  });
}

/** Reads 300 MB without memory mapping, with a fifth of a CPU. This takes seconds. */
async function slow(): Promise<ServerInit> {
  const { folder, file } = await largeModel();
  return {
    args: ["--model", `/large/${file}`, "--load-mode", "none", "--alias", "slow", ...REPEATABLE],
    flags: ["--cpus", "0.2", "--volume", `${folder}:/large:ro`],
  };
}

/** The server's log so far, oldest line first. llama.cpp writes it to standard error. */
export async function logOf({ name }: Server): Promise<string> {
  const child = Bun.spawn(["docker", "logs", name], { stdio: ["ignore", "ignore", "pipe"] });
  return child.stderr.text();
}
