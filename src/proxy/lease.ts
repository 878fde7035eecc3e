/**
 * Takes the lease of a request on a backend, or says in an answer why there is none. Decides nothing about
 * where a request belongs, and sends nothing.
 */
import type { Asking, Nobody, Route, Routed } from "../routing/routes.ts";
import { type Destination, HOW_TO_NAME, type Unnamed } from "./destination.ts";
import { errorResponse, quoteModel } from "./own/errors.ts";
import { type Models, noBackend, SOME_TROUBLE } from "./own/models-list.ts";

/**
 * Takes the lease: there must be no `await` between this call and the forwarding.
 *
 * @param asking what the request says beside its model
 * @returns a lease, or the answer to give instead
 */
export function take(
  destination: Destination,
  models: Models,
  asking: Asking = {},
): Routed | Response {
  const { routes } = models;
  switch (destination.kind) {
    case "refused":
      return destination.response;
    case "model": {
      const { model } = destination;
      return leaseOf(routes.route(model, asking), model, (nobody) =>
        noBackend(model, nobody, models),
      );
    }
    case "run":
      return takeRun(destination, models);
    case "unnamed":
      return takeUnnamed(destination, models, asking);
  }
}

/** @param refuse makes the answer if nobody takes the request */
function leaseOf(
  route: Route,
  model: string | undefined,
  refuse: (nobody: Nobody) => Response,
): Routed | Response {
  if (route.kind === "routed") return route;
  return route.kind === "saturated" ? saturated(model) : refuse(route);
}

/** @param model that the request names, if it names one */
export function saturated(model: string | undefined): Response {
  const of = model === undefined ? "that could take it" : `of model ${quoteModel(model)}`;
  return errorResponse(
    "backend_saturated",
    `Cannot route the request: every server ${of} has as many requests as it may (inference.max_in_flight); try again shortly`,
  );
}

function takeRun(
  { run, responseId }: Extract<Destination, { kind: "run" }>,
  { routes }: Models,
): Routed | Response {
  return leaseOf(routes.routeToRun(run), undefined, (nobody) => {
    const id = quoteModel(responseId);
    if (nobody.kind === "unknown") {
      return errorResponse(
        "response_not_found",
        `Cannot route the request: the server that made response ${id} is gone`,
      );
    }
    const { trouble = SOME_TROUBLE } = nobody;
    return errorResponse(
      "backend_draining",
      `Cannot route the request: the server that made response ${id} is ${trouble}; try again shortly`,
    );
  });
}

/** `OPTIONS` goes to any server: all answer it alike. */
function takeUnnamed(to: Unnamed, models: Models, asking: Asking): Routed | Response {
  const { routes } = models;
  const only = to.isOfOneServer ? routes.onlyServer() : routes.only(asking);
  const route = only ?? (to.method === "OPTIONS" ? routes.newest() : undefined);
  return route === undefined
    ? noOnlyServer(to, models)
    : leaseOf(route, undefined, () => noOnlyServer(to, models));
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
