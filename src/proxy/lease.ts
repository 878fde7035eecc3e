/**
 * Takes the lease of a request on a backend, or says why that is not possible. `destination.ts` decides where a
 * request belongs. Sends nothing.
 */
import type { Asking, Draining, Nobody, Route, Routed } from "../routing/routes.ts";
import { type Destination, HOW_TO_NAME, type Unnamed } from "./destination.ts";
import { type ErrorCode, quoteModel, type Refusal } from "./own/errors.ts";
import { type Models, noBackend, notReady, SOME_TROUBLE } from "./own/models-list.ts";

/** Where a request may go. */
export type Addressed = Exclude<Destination, { kind: "refused" }>;

/** No server takes the request now. */
export type Refused = {
  readonly kind: "refused";
  /** The error for the client. */
  readonly refusal: () => Refusal;
  /** The reason for the log: a clause about the model. */
  readonly reason: string;
  /** A server may take it soon. */
  readonly mayPass: boolean;
};

/**
 * Takes the lease: there must be no `await` between this call and the forwarding.
 *
 * @param asking what routing needs to know beside the model
 */
export function take(
  destination: Addressed,
  models: Models,
  asking: Asking = {},
): Routed | Refused {
  const { routes } = models;
  switch (destination.kind) {
    case "model": {
      const { model } = destination;
      const route = routes.route(model, asking);
      if (route.kind === "routed") return route;
      return leaseOf(route, model, (nobody) => noBackend(model, nobody, models));
    }
    case "run":
      return takeRun(destination, models);
    case "unnamed":
      return takeUnnamed(destination, models, asking);
  }
}

/** Says whether a server may take the request soon, although no server takes it now. */
export function mayPass(nobody: Nobody): boolean {
  return nobody.kind === "draining" || (nobody.kind === "unavailable" && !nobody.isHopeless);
}

/** @param refuse makes the error for the client if no server takes the request */
function leaseOf(
  route: Route,
  model: string | undefined,
  refuse: (nobody: Nobody) => Refusal,
): Routed | Refused {
  if (route.kind === "routed") return route;
  if (route.kind === "saturated") {
    const reason = "each of its servers has reached inference.max_in_flight";
    return { kind: "refused", refusal: () => saturated(model), reason, mayPass: true };
  }
  const refusal = (): Refusal => refuse(route);
  return { kind: "refused", refusal, reason: reasonOf(route), mayPass: mayPass(route) };
}

function reasonOf(nobody: Nobody): string {
  if (nobody.kind === "unknown") return "no server has this model";
  const { trouble = nobody.kind === "draining" ? SOME_TROUBLE : "starting" } = nobody;
  if (nobody.kind === "draining") return `each of its servers is ${trouble}`;
  return `its server ${nobody.says ?? `is ${trouble}`}`;
}

/** @param model the model in the request, if it names one */
export function saturated(model: string | undefined): Refusal {
  const of = model === undefined ? "that could take it" : `of model ${quoteModel(model)}`;
  return told(
    "backend_saturated",
    `Cannot route the request: every server ${of} has reached its limit of requests in flight (inference.max_in_flight); try again shortly`,
  );
}

function told(code: ErrorCode, message: string): Refusal {
  return { code, message };
}

function takeRun(
  { run, responseId }: Extract<Destination, { kind: "run" }>,
  { routes }: Models,
): Routed | Refused {
  return leaseOf(routes.routeToRun(run), undefined, (nobody) => {
    const id = quoteModel(responseId);
    if (nobody.kind === "unknown") {
      return told(
        "response_not_found",
        `Cannot route the request: the server that made response ${id} is gone, and the response with it; create a new response`,
      );
    }
    const { trouble = SOME_TROUBLE } = nobody;
    return told(
      "backend_draining",
      `Cannot route the request: the server that made response ${id} is ${trouble}; try again shortly`,
    );
  });
}

/** `OPTIONS` goes to any server, because all servers answer it alike. */
function takeUnnamed(to: Unnamed, models: Models, asking: Asking): Routed | Refused {
  const { routes } = models;
  const only = to.isOfOneServer ? routes.onlyServer() : routes.only(asking);
  const route = only ?? (to.method === "OPTIONS" ? routes.newest() : undefined);
  return route === undefined
    ? {
        ...{ kind: "refused", refusal: () => noOnlyServer(to, models) },
        ...{ reason: "there are several servers, or none", mayPass: false },
      }
    : leaseOf(route, undefined, (nobody) =>
        nobody.kind === "draining" ? isOut(nobody) : noOnlyServer(to, models),
      );
}

function isOut({ trouble }: Draining): Refusal {
  return told(
    "backend_draining",
    `Cannot route the request: the only server that can take it is ${trouble ?? SOME_TROUBLE}; try again shortly`,
  );
}

function noOnlyServer({ namedIn, responseId }: Unnamed, models: Models): Refusal {
  const { routes, isReady } = models;
  if (routes.activeCount === 0) {
    return isReady()
      ? told(
          "backend_unavailable",
          "Cannot route the request: no server takes requests now; try again shortly",
        )
      : notReady(models, "has not seen any server yet");
  }
  if (responseId === undefined) {
    return told(
      "model_required",
      `Cannot route the request: it names no model; ${HOW_TO_NAME[namedIn]}`,
    );
  }
  const id = quoteModel(responseId);
  return isReady()
    ? told(
        "response_not_found",
        `Cannot route the request: the proxy does not know which server made response ${id}: it was made elsewhere, or before the proxy started; ${HOW_TO_NAME.query}`,
      )
    : notReady(models, `does not know yet which server made response ${id}`);
}
