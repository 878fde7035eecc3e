/**
 * Decides where a request goes: to a server of its model, to the server that made the response it is about,
 * or to the only server there is. Takes the lease there, and sends nothing.
 */
import {
  isIdRoute,
  LOAD_LORA,
  responseIdIn,
  UNLOAD_LORA,
  UNPREFIXED_PATHS,
} from "../ground/paths.ts";
import type { Lease } from "../routing/backend.ts";
import type { Routes } from "../routing/routes.ts";
import type { Run } from "../routing/run.ts";
import type { ReadResult } from "./body/request-body.ts";
import { type Missing, MODEL_BYTES_MAX, type Verdict } from "./body/verdict.ts";
import { errorResponse, quoteModel } from "./own/errors.ts";
import { type Models, modelIdOf, noBackend, SOME_TROUBLE } from "./own/models-list.ts";
import type { ResponseIds } from "./response-ids.ts";
import type { Target } from "./target.ts";

export type Destination =
  | { readonly kind: "model"; readonly model: string }
  /** The run that made a response. */
  | { readonly kind: "run"; readonly run: Run; readonly responseId: string }
  /** Any server may be meant, if there is only one. */
  | {
      readonly kind: "unnamed";
      readonly method: string;
      /** Where a request like it can name its model. */
      readonly namedIn: "body" | "query";
      /** The response that it is about, which nobody is known to have made. */
      readonly responseId?: string;
    }
  | { readonly kind: "refused"; readonly response: Response };

/** Says whether a path loads or unloads adapters. vLLM. */
export function isLoraPath(path: string): boolean {
  return path === LOAD_LORA || path === UNLOAD_LORA;
}

/** Says whether requests there have no body by nature. */
function hasNoBody(path: string): boolean {
  return isIdRoute(path) || responseIdIn(path) !== undefined || path.endsWith("/cancel");
}

/** Says whether bodies sent there name no model: those of adapters, and of what only one server has. */
function namesNoModel(path: string): boolean {
  return isLoraPath(path) || isIdRoute(path) || responseIdIn(path) !== undefined;
}

/**
 * Says whether a form may have a field `model` that decides where it goes. Files can be large, and a form that
 * is searched is kept until it has one: so those of id routes are searched only if nothing else decides.
 */
export function searchesForm({ path, query }: Target, routes: Routes): boolean {
  if (!isIdRoute(path)) return true;
  if (modelInQuery(query) !== undefined) return false;
  const lease = routes.only();
  lease?.end(); // the one for the request itself is taken when that is sent
  return lease === undefined;
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
      return namedElsewhere(target, responses) ?? unnamed(method, target.path);
    case "missing":
      return withoutModel(method, target, verdict, responses);
    case "invalid":
      return refuseWith(
        "invalid_json",
        `its body can't be read: expected ${verdict.expected} at byte ${verdict.offset}`,
      );
    case "too much":
      return byQuery(target) ?? refuseWith("model_search_limit", TOO_MUCH);
    case "overloaded":
      return refuseWith(
        "proxy_overloaded",
        "too many bytes are held of requests that are not with a server yet; try again shortly",
      );
  }
}

const HOW_TO_NAME = {
  body: 'name the model in a JSON object ({"model": "…"}), in a form field "model", or in the query (?model=…)',
  query: "name a model of its server in the query (?model=…)",
} as const;

const TOO_MUCH =
  'too many bytes came before its model; put "model" first, name it in the query (?model=…), or raise PROXY_MODEL_SEARCH_LIMIT';

const MISSING = {
  "no body": "it has no body",
  "no model": 'its body has no "model"',
  null: '"model" is null',
  empty: '"model" is empty',
  "not a string": '"model" is not a string',
  "too long": `"model" is longer than ${MODEL_BYTES_MAX / 1024} KiB`,
} as const satisfies Record<Missing, string>;

/** Methods whose requests have a body, but for a few paths. */
const WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

function withoutModel(
  method: string,
  target: Target,
  { reason, previousResponseId }: Extract<Verdict, { kind: "missing" }>,
  responses: ResponseIds,
): Destination {
  const { path } = target;
  if (reason === "not a string" || reason === "too long") return required(reason, method, path);
  const named = namedElsewhere(target, responses);
  if (named !== undefined) return named;
  if (previousResponseId !== undefined && !UNPREFIXED_PATHS.has(path)) {
    return byResponse(previousResponseId, responses) ?? unnamed(method, path, previousResponseId);
  }
  const mayHaveNone =
    reason === "no body" ? !WITH_BODY.has(method) || hasNoBody(path) : namesNoModel(path);
  return mayHaveNone ? unnamed(method, path) : required(reason, method, path);
}

/** In the path, or in the query. */
function namedElsewhere(target: Target, responses: ResponseIds): Destination | undefined {
  const responseId = responseIdIn(target.path);
  const maker = responseId === undefined ? undefined : byResponse(modelIdOf(responseId), responses);
  return maker ?? byQuery(target);
}

function byResponse(responseId: string, responses: ResponseIds): Destination | undefined {
  const run = responses.find(responseId);
  return run === undefined ? undefined : { kind: "run", run, responseId };
}

function byQuery({ query }: Target): Destination | undefined {
  const model = modelInQuery(query);
  return model === undefined ? undefined : { kind: "model", model };
}

/** @returns undefined if there is none, or an empty one */
function modelInQuery(query: string): string | undefined {
  return new URLSearchParams(query).get("model") || undefined;
}

/** @param previousResponseId the response that it goes on from, if that is unknown */
function unnamed(method: string, path: string, previousResponseId?: string): Destination {
  // Outside the public prefix even the only server must be named.
  if (UNPREFIXED_PATHS.has(path)) return required("no model", method, path);
  const inPath = responseIdIn(path);
  const responseId = inPath === undefined ? previousResponseId : modelIdOf(inPath);
  const to = { kind: "unnamed", method, namedIn: whereToName(method, path) } as const;
  return responseId === undefined ? to : { ...to, responseId };
}

function whereToName(method: string, path: string): keyof typeof HOW_TO_NAME {
  return WITH_BODY.has(method) && !hasNoBody(path) ? "body" : "query";
}

function required(reason: Missing, method: string, path: string): Destination {
  return refuseWith(
    "model_required",
    `${MISSING[reason]}; ${HOW_TO_NAME[whereToName(method, path)]}`,
  );
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
      return takeUnnamed(destination, models);
  }
}

function takeRun(
  { run, responseId }: Extract<Destination, { kind: "run" }>,
  routes: Routes,
): Lease | Response {
  const route = routes.routeToRun(run);
  if (route.kind === "routed") return route.lease;
  const id = quoteModel(responseId);
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
function takeUnnamed(
  { method, namedIn, responseId }: Extract<Destination, { kind: "unnamed" }>,
  { routes, isReady }: Models,
): Lease | Response {
  const lease = routes.only() ?? (method === "OPTIONS" ? routes.newest() : undefined);
  if (lease !== undefined) return lease;
  if (method === "OPTIONS") {
    return errorResponse(
      "backend_unavailable",
      "Cannot route the request: no server is there; try again shortly",
    );
  }
  if (responseId === undefined) {
    return errorResponse(
      "model_required",
      `Cannot route the request: it names no model; ${HOW_TO_NAME[namedIn]}`,
    );
  }
  const id = quoteModel(responseId);
  return isReady()
    ? errorResponse(
        "response_not_found",
        `Cannot route the request: no server is known to have made response ${id}: it was made elsewhere, or before the proxy was started; ${HOW_TO_NAME.query}`,
      )
    : errorResponse(
        "starting",
        `Cannot route the request: the proxy is starting and has not seen yet who made response ${id}; try again shortly`,
      );
}
