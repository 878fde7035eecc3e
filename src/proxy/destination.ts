/**
 * Decides where a request goes: to a server of its model, to the server that made the response in question, or to
 * the only server. Pure: `lease.ts` takes the lease.
 */
import { isIdRoute, isLoraPath, responseIdIn, UNPREFIXED_PATHS } from "../ground/paths.ts";
import type { Run } from "../routing/run.ts";
import { A_JSON_OBJECT } from "./body/json-states.ts";
import type { ReadResult } from "./body/read-result.ts";
import { type Missing, MODEL_BYTES_MAX, type Verdict } from "./body/verdict.ts";
import { errorResponse } from "./own/errors.ts";
import { modelIdOf } from "./own/models-list.ts";
import type { ResponseIds } from "./response-ids.ts";
import type { Target } from "./target.ts";

export type Destination =
  | {
      readonly kind: "model";
      readonly model: string;
      /** True if the body names the model; false if only the query does. */
      readonly isInBody: boolean;
    }
  /** The run that made a response. */
  | { readonly kind: "run"; readonly run: Run; readonly responseId: string }
  /** The request goes to the only server, if there is only one. */
  | {
      readonly kind: "unnamed";
      readonly method: string;
      /** Where such a request can name its model. */
      readonly namedIn: "body" | "query";
      /** True if the request refers to an object that only one server has. No other server of its model can take it. */
      readonly isOfOneServer: boolean;
      /** The response that the request refers to. The proxy does not know which server made it. */
      readonly responseId?: string;
    }
  | { readonly kind: "refused"; readonly response: Response };

export type Unnamed = Extract<Destination, { kind: "unnamed" }>;

/** Says whether requests to this path may have no body. */
function mayHaveNoBody(path: string): boolean {
  return isIdRoute(path) || responseIdIn(path) !== undefined || path.endsWith("/cancel");
}

/** Says whether bodies for this path name no model: requests about adapters and about objects of one server. */
function namesNoModel(path: string): boolean {
  return isLoraPath(path) || isIdRoute(path) || responseIdIn(path) !== undefined;
}

/**
 * Says whether a form for this path may have a field `model`. Forms for id routes have none, and may hold large files:
 * a search would keep them in memory for nothing.
 */
export function searchesForm(path: string): boolean {
  return !isIdRoute(path);
}

/** @param verdict the result of the search for the model in the body */
export function destinationOf(
  { method }: { readonly method: string },
  target: Target,
  verdict: ReadResult["verdict"],
  responses: ResponseIds,
): Destination {
  switch (verdict.kind) {
    case "found":
      return { kind: "model", model: verdict.model, isInBody: true };
    case "other":
      return namedElsewhere(target, responses) ?? unnamed(method, target.path);
    case "missing":
      return withoutModel(method, target, verdict, responses);
    case "invalid":
      // A body that does not begin with an object cannot name a model: the query may.
      return (verdict.expected === A_JSON_OBJECT ? byQuery(target) : undefined) ?? invalid(verdict);
    case "no boundary":
      return refuseWith("invalid_json", NO_BOUNDARY);
    case "too much":
      return byQuery(target) ?? refuseWith("model_search_limit", TOO_MUCH);
    case "overloaded":
      return refuseWith(
        "proxy_overloaded",
        "the proxy already holds too many bytes of requests that no server has taken yet; try again shortly",
      );
  }
}

function invalid({ expected, offset }: Extract<Verdict, { kind: "invalid" }>): Destination {
  const reason = `its body cannot be read: expected ${expected} at byte ${offset}`;
  return refuseWith("invalid_json", reason);
}

const NO_BOUNDARY =
  "it is a form, but its Content-Type has no boundary; let the client library set the Content-Type";

export const HOW_TO_NAME = {
  body: 'name the model in a JSON object ({"model": "…"}), in a form field "model", or in the query (?model=…)',
  query: "name a model of the server in the query (?model=…)",
} as const;

const TOO_MUCH =
  'the beginning of its body does not name the model; put "model" first, name it in the query (?model=…), or raise PROXY_MODEL_SEARCH_LIMIT';

const MISSING = {
  "no body": "it has no body",
  "no model": 'its body has no "model"',
  null: '"model" is null',
  empty: '"model" is empty',
  "not a string": '"model" is not a string',
  "too long": `"model" is longer than ${MODEL_BYTES_MAX / 1024} KiB`,
} as const satisfies Record<Missing, string>;

/** Methods whose requests have a body, except on a few paths. */
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
  const mayNameNone = reason === "no body" ? mayHaveNoBody(path) : namesNoModel(path);
  return mayNameNone || !WITH_BODY.has(method)
    ? unnamed(method, path)
    : required(reason, method, path);
}

/** Looks for the response in the path, then for the model in the query. */
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
  return model === undefined ? undefined : { kind: "model", model, isInBody: false };
}

/** @returns undefined if the query names no model, or an empty one */
function modelInQuery(query: string): string | undefined {
  return new URLSearchParams(query).get("model") || undefined;
}

/** @param previousResponseId the response that the request continues, if no server is known to have made it */
function unnamed(method: string, path: string, previousResponseId?: string): Destination {
  // Outside the public prefix even the only server must be named.
  if (UNPREFIXED_PATHS.has(path)) return required("no model", method, path);
  const inPath = responseIdIn(path);
  const responseId = inPath === undefined ? previousResponseId : modelIdOf(inPath);
  const isOfOneServer = responseId !== undefined || isIdRoute(path);
  const namedIn = whereToName(method, path);
  const to = { kind: "unnamed", method, namedIn, isOfOneServer } as const;
  return responseId === undefined ? to : { ...to, responseId };
}

function whereToName(method: string, path: string): keyof typeof HOW_TO_NAME {
  return WITH_BODY.has(method) && !mayHaveNoBody(path) ? "body" : "query";
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
