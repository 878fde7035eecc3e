/** What the proxy answers from memory, to anybody: its health, the list of models, preflights, and wrong paths. */
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

/** @returns undefined if it is not the proxy's own to answer */
export function local(request: Request, target: Target, context: Local): Response | undefined {
  const { path } = target;
  if (path === HEALTHZ || path === HEALTH) return text(200, "ok");
  if (path === READYZ) return context.isReady() ? text(200, "ready") : text(503, "starting");
  const read = isRead(request) ? readable(request, target, context) : undefined;
  return read ?? unrouted(request, path);
}

const BELOW_PREFIX = `${PUBLIC_PREFIX}/`;

/** What there is to read besides health. The list with a slash at its end too, since some clients put one there. */
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

/** The answer where no server may be asked: to a preflight, and at a path that leads nowhere. */
function unrouted(request: Request, path: string): Response | undefined {
  const isBelow = path.startsWith(BELOW_PREFIX);
  const isRouted = isBelow || UNPREFIXED_PATHS.has(path);
  const mistake = baseUrlMistake(path);
  // A page may read what is wrong with its base URL only after a preflight.
  const mayBeSent = isRouted || path === PUBLIC_PREFIX || mistake !== undefined;
  if (mayBeSent && isPreflight(request)) return preflightResponse(request);
  if (mistake !== undefined || !isRouted) return notServed(mistake);
  return isBelow || request.method === "POST"
    ? undefined
    : notServed(`${path} takes nothing but POST`);
}

/** For people who look whether their base URL is right. Without a version: anybody may ask. */
const ABOUT = {
  name: "lw-inference-proxy",
  description: "OpenAI- and Anthropic-compatible API; requests are routed by their model",
  models: MODELS,
};

/** The answer to a path that leads nowhere. */
export function notServed(reason = `the API is below ${BELOW_PREFIX}`): Response {
  return errorResponse("not_found", `Cannot serve the request: ${reason}`);
}

export function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain" } });
}
