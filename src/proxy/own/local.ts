/** What the proxy answers from memory, to anybody: its health and the list of models. */
import { HEALTHZ, MODELS, PUBLIC_PREFIX, READYZ } from "../../ground/paths.ts";
import type { Target } from "../target.ts";
import { ownListOf } from "../via.ts";
import { errorResponse } from "./errors.ts";
import { type Models, modelsResponse } from "./models-list.ts";

export type Local = Models & {
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
};

/** @returns undefined if it is not the proxy's own to answer */
export function local(request: Request, target: Target, context: Local): Response | undefined {
  const { path } = target;
  if (path === HEALTHZ) return text(200, "ok");
  if (path === READYZ) return context.isReady() ? text(200, "ready") : text(503, "starting");
  if (!path.startsWith(`${PUBLIC_PREFIX}/`)) return notServed();
  if (path === MODELS && isRead(request)) {
    return (
      ownListOf(request, context.pseudonym) ??
      modelsResponse(request, target, context.routes.models)
    );
  }
  return undefined;
}

/** The answer to a path that leads nowhere. */
export function notServed(): Response {
  return errorResponse("not_found", `Cannot serve the request: the API is below ${PUBLIC_PREFIX}/`);
}

export function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain" } });
}
