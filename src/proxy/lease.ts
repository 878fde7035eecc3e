/**
 * Takes the lease of a request on a backend, or says in an answer why there is none. Decides nothing about
 * where a request belongs, and sends nothing.
 */
import type { Lease } from "../routing/backend.ts";
import type { Routes } from "../routing/routes.ts";
import { type Destination, HOW_TO_NAME, type Unnamed } from "./destination.ts";
import { errorResponse, quoteModel } from "./own/errors.ts";
import { type Models, noBackend, SOME_TROUBLE } from "./own/models-list.ts";

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

/** `OPTIONS` goes to any server: all answer it alike. */
function takeUnnamed(to: Unnamed, models: Models): Lease | Response {
  const { routes } = models;
  const only = to.isOfOneServer ? routes.onlyServer() : routes.only();
  const lease = only ?? (to.method === "OPTIONS" ? routes.newest() : undefined);
  return lease ?? noOnlyServer(to, models);
}

function noOnlyServer({ namedIn, responseId }: Unnamed, { routes, isReady }: Models): Response {
  if (routes.activeCount === 0) {
    return isReady()
      ? errorResponse(
          "backend_unavailable",
          "Cannot route the request: no server takes requests just now; try again shortly",
        )
      : errorResponse(
          "starting",
          "Cannot route the request: the proxy is starting and has not seen any server yet; try again shortly",
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
