/** The answers that any client gets from memory: health, the model list, preflights, and errors for wrong paths. */
import {
  HEALTH,
  HEALTHZ,
  MODELS,
  PUBLIC_PREFIX,
  READYZ,
  UNPREFIXED_PATHS,
} from "../../ground/paths.ts";
import type { Target } from "../target.ts";
import { ownListOf } from "../via.ts";
import { baseUrlMistake } from "./base-url.ts";
import { errorResponse } from "./errors.ts";
import { type Models, modelsResponse } from "./models-list.ts";
import { isPreflight, preflightResponse } from "./preflight.ts";

export type Local = Models & {
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
};

/** @returns undefined if a server must answer the request */
export function local(request: Request, target: Target, context: Local): Response | undefined {
  const { path } = target;
  if (path === HEALTHZ || path === HEALTH) return text(200, "ok");
  if (path === READYZ) return context.isReady() ? text(200, "ready") : text(503, "starting");
  const read = isRead(request) ? readable(request, target, context) : undefined;
  return read ?? unrouted(request, path);
}

const BELOW_PREFIX = `${PUBLIC_PREFIX}/`;

/** Answers reads other than health. Some clients add a slash at the end of the model list's path. */
function readable(request: Request, target: Target, context: Local): Response | undefined {
  switch (target.path) {
    case PUBLIC_PREFIX:
    case BELOW_PREFIX:
      return Response.json(ABOUT);
    case MODELS:
    case `${MODELS}/`:
      return (
        ownListOf(request, context.pseudonym) ??
        modelsResponse(request, target, context.routes.models)
      );
    default:
      return undefined;
  }
}

/** Answers requests that the proxy does not route: preflights, and unknown paths. */
function unrouted(request: Request, path: string): Response | undefined {
  const isBelow = path.startsWith(BELOW_PREFIX);
  const isRouted = isBelow || UNPREFIXED_PATHS.has(path);
  const mistake = baseUrlMistake(path);
  // A web page can read the error about its base URL only after a preflight.
  const mayBeSent = isRouted || path === PUBLIC_PREFIX || mistake !== undefined;
  if (mayBeSent && isPreflight(request)) return preflightResponse(request);
  if (mistake !== undefined || !isRouted) return notServed(mistake);
  return isBelow || request.method === "POST" ? undefined : notServed(`${path} accepts only POST`);
}

/** For people who check their base URL. Does not show the version, because any client may ask. */
const ABOUT = {
  name: "lw-inference-proxy",
  description: "OpenAI- and Anthropic-compatible API; requests are routed by their model",
  models: MODELS,
};

/** The answer to an unknown path. */
export function notServed(reason = `the API is below ${BELOW_PREFIX}`): Response {
  return errorResponse("not_found", `Cannot serve the request: ${reason}`);
}

export function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain" } });
}
