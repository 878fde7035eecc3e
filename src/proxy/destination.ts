/**
 * Decides where a request goes: to a server of its model, to the server that made the response it is about,
 * or to the only server there is. Takes the lease there, and sends nothing.
 */
import { LOAD_LORA, responseIdIn, UNLOAD_LORA, UNPREFIXED_PATHS } from "../ground/paths.ts";
import type { Lease } from "../routing/backend.ts";
import type { Routes } from "../routing/routes.ts";
import type { Run } from "../routing/run.ts";
import { type Missing, MODEL_BYTES_MAX } from "./body/model-field.ts";
import type { ReadResult } from "./body/request-body.ts";
import { errorResponse } from "./own/errors.ts";
import { type Models, modelIdOf, noBackend, SOME_TROUBLE } from "./own/models-list.ts";
import type { ResponseIds } from "./response-ids.ts";
import type { Target } from "./target.ts";

export type Destination =
  | { readonly kind: "model"; readonly model: string }
  /** The run that made a response. */
  | { readonly kind: "run"; readonly run: Run; readonly responseId: string }
  | { readonly kind: "unnamed"; readonly method: string }
  | { readonly kind: "refused"; readonly response: Response };

/** Says whether a path loads or unloads adapters. vLLM. */
export function isLoraPath(path: string): boolean {
  return path === LOAD_LORA || path === UNLOAD_LORA;
}

/**
 * Says whether bodies sent there may name no model: those of adapters, of what is done with a response, and
 * those of text-embeddings-inference's own API.
 */
function namesNoModel(path: string): boolean {
  return isLoraPath(path) || responseIdIn(path) !== undefined || UNPREFIXED_PATHS.has(path);
}

/** @param verdict what the body says of its model */
export function destinationOf(
  { method }: { readonly method: string },
  target: Target,
  verdict: ReadResult["verdict"],
  responses: ResponseIds,
): Destination {
  switch (verdict.kind) {
    case "found":
      return { kind: "model", model: verdict.model };
    case "other":
      return unnamed(method, target, responses);
    case "missing":
      return verdict.reason === "no body" || namesNoModel(target.path)
        ? unnamed(method, target, responses)
        : refuseWith("model_required", `${MISSING[verdict.reason]}; ${HOW_TO_NAME}`);
    case "invalid":
      return refuseWith(
        "invalid_json",
        `its body can't be read: expected ${verdict.expected} at byte ${verdict.offset}`,
      );
    case "too much":
      return refuseWith(
        "model_search_limit",
        'too many bytes came before its model; put "model" first, or raise PROXY_MODEL_SEARCH_LIMIT',
      );
    case "overloaded":
      return refuseWith(
        "proxy_overloaded",
        "too many bytes are held of requests that are not with a server yet; try again shortly",
      );
  }
}

const HOW_TO_NAME =
  'name the model in a JSON object ({"model": "…"}), in a form field "model", or in the query (?model=…)';

const MISSING = {
  "no body": "it has no body",
  "no model": 'its body has no "model"',
  "not a string": '"model" is not a string',
  empty: '"model" is empty',
  "too long": `"model" is longer than ${MODEL_BYTES_MAX / 1024} KiB`,
} as const satisfies Record<Missing, string>;

function unnamed(method: string, { path, query }: Target, responses: ResponseIds): Destination {
  const responseId = responseIdIn(path);
  const run = responseId === undefined ? undefined : responses.find(modelIdOf(responseId));
  if (responseId !== undefined && run !== undefined) return { kind: "run", run, responseId };
  const model = new URLSearchParams(query).get("model");
  if (model) return { kind: "model", model };
  // Outside the public prefix even the only server must be named.
  return UNPREFIXED_PATHS.has(path)
    ? refuseWith("model_required", `it names no model; ${HOW_TO_NAME}`)
    : { kind: "unnamed", method };
}

function refuseWith(code: Parameters<typeof errorResponse>[0], reason: string): Destination {
  return { kind: "refused", response: errorResponse(code, `Cannot route the request: ${reason}`) };
}

/**
 * Takes the lease: there must be no `await` between this call and the forwarding.
 *
 * @returns a lease, or the answer to give instead
 */
export function take(destination: Destination, models: Models): Lease | Response {
  switch (destination.kind) {
    case "refused":
      return destination.response;
    case "model": {
      const route = models.routes.route(destination.model);
      return route.kind === "routed" ? route.lease : noBackend(destination.model, route, models);
    }
    case "run":
      return takeRun(destination, models.routes);
    case "unnamed":
      return takeUnnamed(destination.method, models.routes);
  }
}

function takeRun(
  { run, responseId }: Extract<Destination, { kind: "run" }>,
  routes: Routes,
): Lease | Response {
  const route = routes.routeToRun(run);
  if (route.kind === "routed") return route.lease;
  const id = JSON.stringify(responseId);
  if (route.kind === "draining") {
    const { trouble = SOME_TROUBLE } = route;
    return errorResponse(
      "backend_draining",
      `Cannot route the request: the server that made response ${id} is ${trouble}; try again shortly`,
    );
  }
  return errorResponse(
    "response_not_found",
    `Cannot route the request: the server that made response ${id} is gone`,
  );
}

/** Without a doubt: the only backend, or one of the only model. `OPTIONS` goes to any: all answer it alike. */
function takeUnnamed(method: string, routes: Routes): Lease | Response {
  const lease = routes.only() ?? (method === "OPTIONS" ? routes.newest() : undefined);
  if (lease !== undefined) return lease;
  return method === "OPTIONS"
    ? errorResponse(
        "backend_unavailable",
        "Cannot route the request: no server is there; try again shortly",
      )
    : errorResponse(
        "model_required",
        `Cannot route the request: it names no model; ${HOW_TO_NAME}`,
      );
}
