/** GET /v1/models and GET /v1/models/{id}: from memory, the objects as the backends sent them. */

import type { Model } from "../routing/backend.ts";
import type { RoutingTable } from "../routing/table.ts";
import { errorResponse, quoteModel } from "./errors.ts";

export function modelsResponse(models: readonly Model[]): Response {
  return Response.json({ object: "list", data: models });
}

/** What there is, and whether all of it is known yet. */
export type Models = {
  readonly table: RoutingTable;
  readonly isReady: () => boolean;
};

export function modelResponse(id: string, models: Models): Response {
  const lookup = models.table.find(id);
  return lookup.kind === "live" ? Response.json(lookup.model) : noBackend(id, models);
}

/** The answer for a model that nobody takes a request for just now. */
export function noBackend(model: string, { table, isReady }: Models): Response {
  const name = quoteModel(model);
  if (table.find(model).kind === "draining") {
    return errorResponse(
      "backend_draining",
      `Cannot route the request: every server of model ${name} is stopping or unhealthy; try again shortly`,
    );
  }
  if (!isReady()) {
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
