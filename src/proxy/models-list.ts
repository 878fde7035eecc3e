/** GET /v1/models and GET /v1/models/{id}: from memory, the objects as the backends sent them. */

import type { Model } from "../routing/backend.ts";
import type { ModelLookup } from "../routing/table.ts";
import { errorResponse, quoteModel } from "./errors.ts";

export function modelsResponse(models: readonly Model[]): Response {
  return Response.json({ object: "list", data: models });
}

export function modelResponse(id: string, lookup: ModelLookup, ready: boolean): Response {
  return lookup.kind === "live" ? Response.json(lookup.model) : noBackend(id, lookup.kind, ready);
}

/** The answer for a model that nobody takes a request for just now. */
export function noBackend(model: string, kind: "draining" | "unknown", ready: boolean): Response {
  const name = quoteModel(model);
  if (kind === "draining") {
    return errorResponse(
      "backend_draining",
      `Cannot route the request: every server of model ${name} is stopping or unhealthy; try again shortly`,
    );
  }
  if (!ready) {
    return errorResponse(
      "starting",
      `Cannot route the request: the proxy is starting and has not seen model ${name} yet; try again shortly`,
    );
  }
  return errorResponse(
    "model_not_found",
    `Cannot route the request: no server has model ${name}; GET /v1/models lists what there is`,
  );
}

/** The id in a path below /v1/models/, slashes raw or as %2F. */
export function modelIdOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
