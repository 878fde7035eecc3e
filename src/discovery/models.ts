/**
 * GET {base_path}/models of a backend → its models, the objects as it sent them. A server without
 * such a list may name its one model in GET /info: text-embeddings-inference.
 */
import { z } from "zod/mini";
import type { Model } from "../routing/backend.ts";
import { connectionReason, notJsonReason, statusReason } from "./models-failure.ts";

export type ReadLimits = {
  /** For all that is asked in one read. */
  readonly timeoutMs: number;
  /** Of each answer. */
  readonly bytesMax: number;
};

const MIB = 1024 * 1024;

export const READ_LIMITS: ReadLimits = { timeoutMs: 10_000, bytesMax: 16 * MIB };

/**
 * Each is checked, and is an entry of the routing table; the longest lists there are have hundreds.
 * Without it, a list as long as the bytes allow held up everything for 4.5 s (measured).
 */
const MODELS_MAX = 10_000;

/** The entries are checked one by one, once it is known that there are not too many. */
const WireList = z.object({ data: z.custom<readonly unknown[]>(Array.isArray) });

/** OpenAI's. Only the id is ours to check; every other field goes through as it came. */
const WireModel = z.looseObject({ id: z.string() });

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
  const modelsUrl = `${url}/models`;
  const { origin, pathname } = new URL(modelsUrl);
  const answer = await get(modelsUrl, either, limits.bytesMax).catch((cause: unknown) => {
    const late = `no answer to GET ${pathname} of ${origin} within ${limits.timeoutMs / 1000} s`;
    const reason = timeout.aborted ? late : connectionReason(cause, modelsUrl);
    throw reason === undefined ? cause : new Error(reason, { cause });
  });
  if (answer.kind === "text") return parseModels(answer.text);
  const model = hasNoModels(answer.status)
    ? await readInfo(url, either, limits.bytesMax)
    : undefined;
  if (model === undefined) {
    throw new Error(statusReason(answer.status, pathname, answer.location));
  }
  return [model];
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
  | { readonly kind: "refused"; readonly status: number; readonly location: string | null };

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
  const { status, headers } = response;
  return { kind: "refused", status, location: headers.get("location") };
}

async function readText(response: Response, bytesMax: number): Promise<string> {
  const tooLarge = `the answer is larger than ${bytesMax / MIB} MiB, which is no list of models`;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new Error(tooLarge);
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces)); // leaves a byte order mark out
}

function parseModels(text: string): readonly Model[] {
  const json = parseJson(text);
  if (json === undefined) throw new Error(notJsonReason(text));
  const list = WireList.safeParse(json);
  if (!list.success) throw new Error(NO_LIST);
  const { data } = list.data;
  if (data.length > MODELS_MAX) {
    throw new Error(`the answer lists ${data.length} models, of which ${MODELS_MAX} can be routed`);
  }
  const models = new Map<string, Model>();
  for (const entry of data) {
    const model = WireModel.safeParse(entry);
    if (!model.success) throw new Error(NO_LIST);
    const { id } = model.data;
    if (id !== "" && !models.has(id)) models.set(id, model.data);
  }
  return [...models.values()];
}

const NO_LIST =
  'the answer has no list "data" of objects with an "id": is it the API that the label inference.port names?';

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
