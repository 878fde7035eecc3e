/** Containers of the real llama.cpp server, each as somebody would run it. */
import { type Server, type ServerInit, startServer } from "../engine/real.ts";
import { buildLlamaImage, LLAMA_PORT, largeModel, MODELS_FOLDER, TINY_MODEL } from "./image.ts";

/** The same random numbers for every request, and nothing of an earlier one: the same question has the same answer. */
const REPEATABLE = ["--seed", "1", "--no-cache-prompt", "--cache-ram", "0"];
/** Answers as long as one likes, two at a time, whoever else asks. */
const ENDLESS = ["--context-shift", "--parallel", "2", "--no-kv-unified"];
/** So that a test sees how many requests wait for one of the two. */
const METRICS = ["--metrics"];

export const KEY = "our-key";

/** By name: its models are those of `MODELS`. */
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
  /** Our model has no head for ranking, and llama.cpp mixes up the scores of texts that it looks at together. */
  rerank: { args: ["--model", TINY_MODEL, "--alias", "rerank", "--rerank", "--parallel", "1"] },
  /** Two models, neither of which is loaded before it is asked for. */
  router: { args: ["--models-dir", MODELS_FOLDER, ...REPEATABLE] },
  /** Its own list is public, and says something else. */
  keyed: {
    args: ["--model", TINY_MODEL, "--alias", "unlisted", "--api-key", KEY, ...REPEATABLE],
    labels: { "inference.models": "keyed, keyed-too" },
  },
} as const satisfies Record<string, ServerInit>;

export type Kind = keyof typeof KINDS | "slow";

/** What `GET /v1/models` has of each. */
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

/** Reads 300 MB, not by mapping them, and has a fifth of a CPU for it: that takes seconds. */
async function slow(): Promise<ServerInit> {
  const { folder, file } = await largeModel();
  return {
    args: ["--model", `/large/${file}`, "--load-mode", "none", "--alias", "slow", ...REPEATABLE],
    flags: ["--cpus", "0.2", "--volume", `${folder}:/large:ro`],
  };
}

/** What the server has said so far, oldest first. llama.cpp writes its log to standard error. */
export async function logOf({ name }: Server): Promise<string> {
  const child = Bun.spawn(["docker", "logs", name], { stdio: ["ignore", "ignore", "pipe"] });
  return child.stderr.text();
}
