/**
 * GET {base_path}/models of a backend → its models, the objects as it sent them. A server without
 * such a list may name its one model in GET /info: text-embeddings-inference.
 */
import { z } from "zod/mini";
import type { Model } from "../routing/backend.ts";

export type ReadLimits = {
  /** For all that is asked in one read. */
  readonly timeoutMs: number;
  /** Of each answer. */
  readonly bytesMax: number;
};

export const READ_LIMITS: ReadLimits = { timeoutMs: 10_000, bytesMax: 16 * 1024 * 1024 };

/** OpenAI's list. Only the ids are ours to check; every other field goes through as it came. */
const WireModels = z.object({ data: z.array(z.looseObject({ id: z.string() })) });

/** `Info` of text-embeddings-inference, router/src/lib.rs. */
const WireInfo = z.object({ model_id: z.string().check(z.minLength(1)) });

/**
 * @param url of the server's API: `http://host:port/v1`
 * @throws {Error} whose message says why in a few words: it follows "cannot read models:"
 */
export async function readModels(
  url: string,
  signal: AbortSignal,
  limits: ReadLimits = READ_LIMITS,
): Promise<readonly Model[]> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const answer = await get(`${url}/models`, either, limits.bytesMax).catch((error: unknown) => {
    if (!timeout.aborted) throw refusedOf(url, error);
    throw new Error(`no answer to GET /models within ${limits.timeoutMs} ms`, { cause: error });
  });
  if (answer.kind === "text") return parseModels(answer.text);
  const model = hasNoModels(answer.status)
    ? await readInfo(url, either, limits.bytesMax)
    : undefined;
  if (model === undefined) throw new Error(`the server answered ${answer.status} to GET /models`);
  return [model];
}

/** The mistake that everybody makes once, in words that help. */
function refusedOf(url: string, error: unknown): unknown {
  const refused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  if (!refused) return error;
  const message = `nothing listens at ${new URL(url).origin}: set the label inference.port, and have the server listen on 0.0.0.0`;
  return new Error(message, { cause: error });
}

/** There is nothing at this path, now or later; any other status is of a server that has a list. */
function hasNoModels(status: number): boolean {
  return status === 404 || status === 405;
}

/**
 * The one model of text-embeddings-inference, whose /info lies at the root whatever the base path.
 * It has what OpenAI's clients declare as always there; 0 is a time that is not known.
 *
 * @returns undefined whatever goes wrong: then it is no such server
 */
async function readInfo(
  url: string,
  signal: AbortSignal,
  bytesMax: number,
): Promise<Model | undefined> {
  const answer = await get(new URL("/info", url).href, signal, bytesMax).catch(() => undefined);
  if (answer?.kind !== "text") return undefined;
  const info = WireInfo.safeParse(parseJson(answer.text));
  if (!info.success) return undefined;
  const owner = "text-embeddings-inference";
  return { id: info.data.model_id, object: "model", created: 0, owned_by: owner };
}

type Answer =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "refused"; readonly status: number };

async function get(url: string, signal: AbortSignal, bytesMax: number): Promise<Answer> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "manual",
    keepalive: false,
    proxy: false,
    signal,
  });
  if (response.status === 200) return { kind: "text", text: await readText(response, bytesMax) };
  await response.body?.cancel();
  return { kind: "refused", status: response.status };
}

async function readText(response: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > bytesMax)
      throw new Error(`the answer to GET /models is larger than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces)); // leaves a byte order mark out
}

function parseModels(text: string): readonly Model[] {
  const wire = WireModels.safeParse(parseJson(text));
  if (!wire.success)
    throw new Error('the answer to GET /models has no list "data" of objects with an "id"');
  const models = new Map<string, Model>();
  for (const model of wire.data.data) {
    if (model.id !== "" && !models.has(model.id)) models.set(model.id, model);
  }
  return [...models.values()];
}

/** An object for each number is slow: 16 MB of them would stop the proxy for seconds (measured: 6.6). */
const EXACT_LENGTH_MAX = 1024 * 1024;

type RawJson = { rawJSON(text: string): unknown };

/** Numbers stay the text they were: a parameter count may be above 2^53, and 1.0 is not 1 to everybody. */
function parseJson(text: string): unknown {
  const { rawJSON } = JSON as unknown as RawJson;
  try {
    if (text.length > EXACT_LENGTH_MAX) return JSON.parse(text);
    return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === "number" && context?.source !== undefined ? rawJSON(context.source) : value,
    );
  } catch {
    return undefined;
  }
}
