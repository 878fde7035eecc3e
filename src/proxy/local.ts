/** What the proxy answers from memory, of itself. */
import { errorResponse } from "./errors.ts";
import { type Models, modelsResponse } from "./models-list.ts";
import type { Target } from "./target.ts";

/** Of the list of models; each has a path of its own below. */
export const MODELS = "/v1/models";

export type Local = Models & {
  /** What `GET /status` shows, as JSON. */
  readonly status?: () => unknown;
};

/** @returns undefined if it is not the proxy's own to answer */
export function local(request: Request, target: Target, context: Local): Response | undefined {
  const { path } = target;
  if (path === "/healthz") return text(200, "ok");
  if (path === "/readyz") return context.isReady() ? text(200, "ready") : text(503, "starting");
  if (path === "/status" && isDirect(request)) return Response.json(context.status?.() ?? {});
  if (!path.startsWith("/v1/")) {
    return errorResponse("not_found", "Cannot serve the request: the API is below /v1/");
  }
  if (path === MODELS && isRead(request)) {
    return modelsResponse(request, target, context.table.models);
  }
  return undefined;
}

/**
 * Whether it has come past no other proxy. What is for operators alone is not to be reached through one
 * that passes on what begins with `/v1`: of `/v1/../status` Bun leaves `/status` before it is ours to see.
 */
export function isDirect(request: Request): boolean {
  const { headers } = request;
  return isRead(request) && !headers.has("x-forwarded-for") && !headers.has("forwarded");
}

export function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain" } });
}
