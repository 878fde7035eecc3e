/** Collects the backends that serve a model under one of its names, newest first. Pure. */
import { type Backend, doShare, type Model } from "./backend.ts";
import { compare, keyOf, type Server } from "./run.ts";

/** The backends that serve a model under one of its names. */
export type Served = {
  /** Newest first, including draining ones. */
  readonly backends: Backend[];
  /** The id that the newest backend lists for it. */
  readonly id: string;
  /** The model of the newest active backend. Undefined if all backends are draining. */
  model: Model | undefined;
  /**
   * The backends that share its requests, newest first: the newest active backend and all active backends of its
   * group. Undefined if the newest active backend takes all requests.
   */
  replicas: [Backend, ...Backend[]] | undefined;
};

/**
 * Adds a backend. Callers add newer backends first.
 *
 * @param known the result for the newer backends that have a model of this name
 */
export function putServed(known: Served | undefined, model: Model, backend: Backend): Served {
  const served = known ?? newlyServed(model.id);
  // A server may give one name to two of its models. The name then belongs to the first model.
  if (served.backends.at(-1) === backend) return served;
  served.backends.push(backend);
  if (backend.state !== "active") return served;
  if (served.model === undefined) {
    served.model = model;
    if (backend.shares !== undefined) served.replicas = [backend];
  } else if (served.replicas !== undefined && doShare(served.replicas[0], backend)) {
    served.replicas.push(backend);
  }
  return served;
}

/** The models that at least one active backend has, sorted by id. */
export function activeModels(served: readonly Served[]): readonly Model[] {
  return served.flatMap(({ model }) => model ?? []).sort((a, b) => compare(a.id, b.id));
}

/** One server that has a model. */
export type Serving = {
  readonly server: Server;
  /** The server's name at the time when its backend was made. */
  readonly name: string;
  /** Which new requests for the model it gets. */
  readonly gets: "all" | "shares" | "none";
};

/**
 * Lists each server that has the model once, newest first.
 *
 * @param countMax the most servers to list
 */
export function servingOf(served: Served, countMax: number): readonly Serving[] {
  const { backends, replicas } = served;
  const takes = replicas === undefined || replicas.length < 2 ? "all" : "shares";
  const byServer = new Map<string, Serving>();
  for (const backend of backends) {
    const { run: server, name } = backend;
    const key = keyOf(server);
    const [isTaker, isKnown] = [takesRequests(served, backend), byServer.has(key)];
    if (!isKnown && byServer.size >= countMax) break;
    // A run that was admitted again has an active backend and a draining one.
    if (isTaker || !isKnown) byServer.set(key, { server, name, gets: isTaker ? takes : "none" });
  }
  return [...byServer.values()];
}

function takesRequests({ backends, replicas }: Served, backend: Backend): boolean {
  if (backend.state !== "active") return false;
  if (replicas !== undefined) return doShare(replicas[0], backend);
  return backend === backends.find(({ state }) => state === "active");
}

function newlyServed(id: string): Served {
  return { backends: [], id, model: undefined, replicas: undefined };
}

/** How many backends take the requests for a model. */
export type Takers = { readonly model: string; readonly backends: number };

/** @returns an entry for each model that has an active backend */
export function takersOf(served: readonly Served[]): readonly Takers[] {
  return served.flatMap(({ id, model, replicas }) =>
    model === undefined ? [] : [{ model: id, backends: replicas?.length ?? 1 }],
  );
}
