/**
 * Asks a backend for its models: `GET {base_path}/models`. Each model keeps the JSON object that the
 * server sent. We follow one redirect within the same origin. A server without a model list may name
 * its only model in `GET /info`, as text-embeddings-inference does. This file does not decide when to
 * ask, or what to do with the models.
 */
import { z } from "zod/mini";
import { AnswerRefused, ownRequest, readText } from "../ground/own-request.ts";
import type { Model } from "../routing/backend.ts";
import { modelWithoutEntry } from "./model-entry.ts";
import { type ModelList, parseModels } from "./model-list.ts";
import {
  ModelsUnreadable,
  readingReason,
  redirectedReason,
  refusedReason,
  statusReason,
} from "./models-failure.ts";

export type ReadLimits = {
  /** For all requests of one read together, including parsing. */
  readonly timeoutMs: number;
  /** The value of the `Via` header. Without it we send none. */
  readonly via?: string;
  /** The most bytes of a model list. */
  readonly bytesMax: number;
};

/** Reads the models of a server: see `readModels`. */
export type ReadModels = (url: string, signal: AbortSignal) => Promise<ModelList>;

/** @param via the proxy's own entry in `Via`; if it comes back to us, the model list is our own */
export function modelReader(via: string): ReadModels {
  return (url, signal) => readModels(url, signal, { ...READ_LIMITS, via });
}

const KIB = 1024;

export const READ_LIMITS: ReadLimits = { timeoutMs: 10_000, bytesMax: 16 * KIB * KIB };

/** The most bytes of an answer to /info. A real one has about 500. */
const INFO_BYTES_MAX = 64 * KIB;

/** The part of `Info` that we need. Source: text-embeddings-inference, router/src/lib.rs. */
const WireInfo = z.object({ model_id: z.string().check(z.minLength(1)) });

/**
 * Asks for the model list and parses it.
 *
 * @param url of the server's API: `http://host:port/v1`
 * @throws {ModelsUnreadable} its message says why in a few words and fits after "cannot read its model list:"
 * @throws the reason of the signal, if the signal is aborted
 */
export async function readModels(
  url: string,
  signal: AbortSignal,
  limits: ReadLimits = READ_LIMITS,
): Promise<ModelList> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const modelsUrl = `${url}/models`;
  const { origin, pathname } = new URL(modelsUrl);
  try {
    return await readList(modelsUrl, either, limits);
  } catch (cause) {
    if (cause instanceof ModelsUnreadable) throw cause;
    const late = `no answer to GET ${pathname} from ${origin} within ${limits.timeoutMs / 1000} s`;
    const reason = timeout.aborted ? late : readingReason(cause, modelsUrl);
    throw reason === undefined ? cause : new ModelsUnreadable(reason, { cause });
  }
}

/** Asks for the list and follows one redirect: some servers have it at `/v1/models/` (aibrix). */
async function readList(url: string, signal: AbortSignal, limits: ReadLimits): Promise<ModelList> {
  const answer = await get(url, signal, limits);
  const target = answer.kind === "refused" ? targetOf(answer, url) : undefined;
  if (target === undefined) return modelsOf(answer, url, signal);
  try {
    return await modelsOf(await get(target.url, signal, limits), target.url, signal);
  } catch (cause) {
    if (!(cause instanceof ModelsUnreadable)) throw cause;
    const { pathname } = new URL(url);
    throw new ModelsUnreadable(redirectedReason(pathname, target.location, cause.message), {
      cause,
    });
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Finds the target of a redirect. We never ask another origin, because the labels name the server.
 *
 * @param from the URL of the request
 * @returns undefined if the answer is no redirect within the same origin
 */
function targetOf(
  { status, location }: Refused,
  from: string,
): { readonly url: string; readonly location: string } | undefined {
  if (location === null || !REDIRECTS.has(status)) return undefined;
  const url = URL.parse(location, from);
  const { origin } = new URL(from);
  if (url?.origin !== origin) return undefined;
  return { url: `${origin}${url.pathname}${url.search}`, location };
}

/** @param url of the answer */
async function modelsOf(answer: Answer, url: string, signal: AbortSignal): Promise<ModelList> {
  if (answer.kind === "text") return await parseModels(answer.text, signal);
  const { status, location } = answer;
  const model = hasNoModels(status) ? await readInfo(url, signal) : undefined;
  if (model !== undefined) return { models: [model] };
  throw new ModelsUnreadable(statusReason(status, new URL(url).pathname, location));
}

/**
 * True if the server will never have anything at this path. A server that has a list may answer with
 * any other status.
 */
function hasNoModels(status: number): boolean {
  return status === 404 || status === 405;
}

/**
 * Asks for the one model of text-embeddings-inference. Its /info is always at the root, with any
 * base path.
 *
 * @returns undefined if anything goes wrong, because then it is another kind of server
 */
async function readInfo(url: string, signal: AbortSignal): Promise<Model | undefined> {
  const infoUrl = new URL("/info", url).href;
  const answer = await get(infoUrl, signal, { bytesMax: INFO_BYTES_MAX }).catch(() => undefined);
  if (answer?.kind !== "text") return undefined;
  const info = WireInfo.safeParse(parseJson(answer.text));
  if (!info.success) return undefined;
  return modelWithoutEntry(info.data.model_id, "text-embeddings-inference");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Refused = {
  readonly kind: "refused";
  readonly status: number;
  readonly location: string | null;
};

type Answer = { readonly kind: "text"; readonly text: string } | Refused;

async function get(
  url: string,
  signal: AbortSignal,
  { bytesMax, via }: Pick<ReadLimits, "bytesMax" | "via">,
): Promise<Answer> {
  const headers = { accept: "application/json", ...(via !== undefined && { via }) };
  const response = await ownRequest(url, { signal, headers });
  const { status } = response;
  if (status === 200) return { kind: "text", text: await textOf(response, bytesMax) };
  await response.body?.cancel();
  return { kind: "refused", status, location: response.headers.get("location") };
}

async function textOf(response: Response, bytesMax: number): Promise<string> {
  try {
    return await readText(response, bytesMax);
  } catch (cause) {
    if (!(cause instanceof AnswerRefused)) throw cause;
    const isEncoded = response.headers.has("content-encoding");
    throw new ModelsUnreadable(refusedReason(cause.message, isEncoded), { cause });
  }
}
