/**
 * Decides where a request goes: to a server of its model, to the server that made the response it is about,
 * or to the only server there is. Pure: `lease.ts` takes the lease there.
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
      /** Its body names the model, and not its query alone. */
      readonly isInBody: boolean;
    }
  /** The run that made a response. */
  | { readonly kind: "run"; readonly run: Run; readonly responseId: string }
  /** It goes to the only server, if there is only one. */
  | {
      readonly kind: "unnamed";
      readonly method: string;
      /** Where a request like it can name its model. */
      readonly namedIn: "body" | "query";
      /** True if it is about what one server has made: no other server of the same model can take it. */
      readonly isOfOneServer: boolean;
      /** The response that it is about, which nobody is known to have made. */
      readonly responseId?: string;
    }
  | { readonly kind: "refused"; readonly response: Response };

export type Unnamed = Extract<Destination, { kind: "unnamed" }>;

/** Says whether requests there may have no body. */
function mayHaveNoBody(path: string): boolean {
  return isIdRoute(path) || responseIdIn(path) !== undefined || path.endsWith("/cancel");
}

/** Says whether bodies sent there name no model: those of adapters, and of what only one server has. */
function namesNoModel(path: string): boolean {
  return isLoraPath(path) || isIdRoute(path) || responseIdIn(path) !== undefined;
}

/**
 * Says whether a form sent there may have a field `model`. Those of id routes have none. They may hold large
 * files, and what is searched in vain is kept in memory.
 */
export function searchesForm(path: string): boolean {
  return !isIdRoute(path);
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
      return { kind: "model", model: verdict.model, isInBody: true };
    case "other":
      return namedElsewhere(target, responses) ?? unnamed(method, target.path);
    case "missing":
      return withoutModel(method, target, verdict, responses);
    case "invalid":
      // A body that is not even the beginning of an object has no model either.
      return (verdict.expected === A_JSON_OBJECT ? byQuery(target) : undefined) ?? invalid(verdict);
    case "too much":
      return byQuery(target) ?? refuseWith("model_search_limit", TOO_MUCH);
    case "overloaded":
      return refuseWith(
        "proxy_overloaded",
        "too many bytes are held of requests that are not with a server yet; try again shortly",
      );
  }
}

function invalid({ expected, offset }: Extract<Verdict, { kind: "invalid" }>): Destination {
  const reason = `its body can't be read: expected ${expected} at byte ${offset}`;
  return refuseWith("invalid_json", reason);
}

export const HOW_TO_NAME = {
  body: 'name the model in a JSON object ({"model": "…"}), in a form field "model", or in the query (?model=…)',
  query: "name a model of the server that you mean in the query (?model=…)",
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
  const mayNameNone = reason === "no body" ? mayHaveNoBody(path) : namesNoModel(path);
  return mayNameNone || !WITH_BODY.has(method)
    ? unnamed(method, path)
    : required(reason, method, path);
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
  return model === undefined ? undefined : { kind: "model", model, isInBody: false };
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
