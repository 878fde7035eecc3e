/**
 * The answers to GET /v1/models and GET /v1/models/{id}, from memory, with the objects as the backends sent
 * them. Also the error for a model that no backend takes requests for.
 */
import { MODELS } from "../../ground/paths.ts";
import type { Model } from "../../routing/backend.ts";
import type { ModelLookup, Nobody, Routes } from "../../routing/routes.ts";
import type { Target } from "../target.ts";
import { anthropicList, anthropicModel } from "./anthropic-models.ts";
import { quoteModel, type Refusal, refuse } from "./errors.ts";
import { jsonAnswer, sharedAnswer, sharedJson } from "./json-answer.ts";
import { nearest } from "./nearest.ts";

/** The models, and whether the proxy knows all of them yet. */
export type Models = {
  readonly routes: Routes;
  readonly isReady: () => boolean;
  /** The proxy is not ready, because the engine has not reported its containers yet. */
  readonly awaitsEngine?: () => boolean;
};

/** Only Anthropic's SDKs send this header. */
function speaksAnthropic(request: Request): boolean {
  return request.headers.has("anthropic-version");
}

export function modelsResponse(
  request: Request,
  { query }: Target,
  models: readonly Model[],
): Response {
  return speaksAnthropic(request)
    ? jsonAnswer(anthropicList(models, new URLSearchParams(query)))
    : sharedAnswer(listOf(models));
}

/** Made once for each list, and used as long as the table has that list. */
type MadeOfList = { json?: Blob; ids?: readonly string[] };

const madeOf = new WeakMap<readonly Model[], MadeOfList>();

function made(models: readonly Model[]): MadeOfList {
  const known = madeOf.get(models);
  if (known !== undefined) return known;
  const fresh: MadeOfList = {};
  madeOf.set(models, fresh);
  return fresh;
}

function listOf(models: readonly Model[]): Blob {
  const of = made(models);
  of.json ??= sharedJson(`{"object":"list","data":[${models.map(({ json }) => json).join()}]}`);
  return of.json;
}

function idsOf(models: readonly Model[]): readonly string[] {
  const of = made(models);
  of.ids ??= models.map(({ id }) => id);
  return of.ids;
}

/** @param found the table's result for this id */
export function modelResponse(
  request: Request,
  id: string,
  found: ModelLookup,
  models: Models,
): Response {
  if (found.kind !== "live") return refuse(noBackend(id, found, models));
  const { model } = found;
  return jsonAnswer([speaksAnthropic(request) ? anthropicModel(model) : model.json]);
}

const SUGGESTIONS_MAX = 10;

/** Why a server takes no requests, if the exact reason is not known. */
export const SOME_TROUBLE = "stopping, drained, unhealthy or paused";

/** @param nobody why no backend takes requests for the model */
export function noBackend(model: string, nobody: Nobody, models: Models): Refusal {
  const name = quoteModel(model);
  if (nobody.kind === "draining") {
    const { trouble = SOME_TROUBLE } = nobody;
    return {
      code: "backend_draining",
      message: `Cannot route the request: every server of model ${name} is ${trouble}; try again shortly`,
    };
  }
  if (nobody.kind === "unavailable") {
    const { trouble = "starting", says = `is ${trouble}` } = nobody;
    return {
      code: "backend_unavailable",
      message: `Cannot route the request: the server of model ${name} ${says}; try again shortly`,
    };
  }
  if (!models.isReady()) return notReady(models, `has not seen model ${name} yet`);
  const { says } = nobody;
  const more = says === undefined ? "" : ` any more: its last server ${says}`;
  return {
    code: "model_not_found",
    message: `Cannot route the request: no server has model ${name}${more}; ${suggestion(model, models.routes)}`,
  };
}

/** @param lack what the proxy does not know yet, as a verb and its object */
export function notReady({ awaitsEngine }: Models, lack: string): Refusal {
  const [doing, advice] =
    awaitsEngine?.() === true
      ? [
          "is waiting for the Docker engine's list of containers",
          "; if this lasts, lw-inference-proxy status says why",
        ]
      : ["is starting", ""];
  return {
    code: "starting",
    message: `Cannot route the request: the proxy ${doing} and ${lack}; try again shortly${advice}`,
  };
}

function suggestion(model: string, { models }: Routes): string {
  if (models.length === 0) return "the proxy has no models at the moment";
  const near = nearest(model, idsOf(models), SUGGESTIONS_MAX).map(quoteModel);
  if (near.length > 0) return `did you mean ${near.join(", ")}?`;
  const all = models.length === 1 ? "is 1 model" : `are ${models.length} models`;
  return `there ${all}; GET ${MODELS} has the list`;
}

/** Decodes an id in a path. Slashes in the id may be raw or %2F. */
export function modelIdOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
