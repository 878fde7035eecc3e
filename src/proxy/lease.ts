/**
 * Takes the lease of a request on a backend, or says why there is none. Decides nothing about where a request
 * belongs, and sends nothing.
 */
import type { Asking, Draining, Nobody, Route, Routed } from "../routing/routes.ts";
import { type Destination, HOW_TO_NAME, type Unnamed } from "./destination.ts";
import { type ErrorCode, quoteModel, type Refusal } from "./own/errors.ts";
import { type Models, noBackend, SOME_TROUBLE } from "./own/models-list.ts";

/** Where a request may go. */
export type Addressed = Exclude<Destination, { kind: "refused" }>;

/** Nobody takes the request now. */
export type Refused = {
  readonly kind: "refused";
  /** What to tell the client. */
  readonly refusal: () => Refusal;
  /** The same for the log, in words about its model. */
  readonly reason: string;
  /** Somebody may take it soon. */
  readonly mayPass: boolean;
};

/**
 * Takes the lease: there must be no `await` between this call and the forwarding.
 *
 * @param asking what the request says beside its model
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

/** Says whether somebody may take a request soon that nobody takes now. */
export function mayPass(nobody: Nobody): boolean {
  return nobody.kind === "draining" || (nobody.kind === "unavailable" && !nobody.isHopeless);
}

/** @param refuse says what to tell the client if nobody takes the request */
function leaseOf(
  route: Route,
  model: string | undefined,
  refuse: (nobody: Nobody) => Refusal,
): Routed | Refused {
  if (route.kind === "routed") return route;
  if (route.kind === "saturated") {
    const reason = "each of its servers has as many requests as it may";
    return { kind: "refused", refusal: () => saturated(model), reason, mayPass: true };
  }
  const refusal = (): Refusal => refuse(route);
  return { kind: "refused", refusal, reason: reasonOf(route), mayPass: mayPass(route) };
}

function reasonOf(nobody: Nobody): string {
  if (nobody.kind === "unknown") return "no server has it";
  const { trouble = nobody.kind === "draining" ? SOME_TROUBLE : "starting" } = nobody;
  if (nobody.kind === "draining") return `each of its servers is ${trouble}`;
  return `its server ${nobody.says ?? `is ${trouble}`}`;
}

/** @param model that the request names, if it names one */
export function saturated(model: string | undefined): Refusal {
  const of = model === undefined ? "that could take it" : `of model ${quoteModel(model)}`;
  return told(
    "backend_saturated",
    `Cannot route the request: every server ${of} has as many requests as it may (inference.max_in_flight); try again shortly`,
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
        `Cannot route the request: the server that made response ${id} is gone`,
      );
    }
    const { trouble = SOME_TROUBLE } = nobody;
    return told(
      "backend_draining",
      `Cannot route the request: the server that made response ${id} is ${trouble}; try again shortly`,
    );
  });
}

/** `OPTIONS` goes to any server: all answer it alike. */
function takeUnnamed(to: Unnamed, models: Models, asking: Asking): Routed | Refused {
  const { routes } = models;
  const only = to.isOfOneServer ? routes.onlyServer() : routes.only(asking);
  const route = only ?? (to.method === "OPTIONS" ? routes.newest() : undefined);
  return route === undefined
    ? {
        ...{ kind: "refused", refusal: () => noOnlyServer(to, models) },
        ...{ reason: "there is no only server", mayPass: false },
      }
    : leaseOf(route, undefined, (nobody) =>
        nobody.kind === "draining" ? isOut(nobody) : noOnlyServer(to, models),
      );
}

function isOut({ trouble }: Draining): Refusal {
  return told(
    "backend_draining",
    `Cannot route the request: the server that keeps what it is about is ${trouble ?? SOME_TROUBLE}; try again shortly`,
  );
}

function noOnlyServer({ namedIn, responseId }: Unnamed, { routes, isReady }: Models): Refusal {
  if (routes.activeCount === 0) {
    return isReady()
      ? told(
          "backend_unavailable",
          "Cannot route the request: no server takes requests just now; try again shortly",
        )
      : told(
          "starting",
          "Cannot route the request: the proxy is starting and has not seen any server yet; try again shortly",
        );
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
        `Cannot route the request: no server is known to have made response ${id}: it was made elsewhere, or before the proxy was started; ${HOW_TO_NAME.query}`,
      )
    : told(
        "starting",
        `Cannot route the request: the proxy is starting and has not seen yet who made response ${id}; try again shortly`,
      );
}
