/** Who serves a model by one of its names, put together backend by backend, newest first. Pure. */
import { type Backend, doShare, type Model } from "./backend.ts";
import { compare, keyOf, type Server } from "./run.ts";

/** Who serves a model by one of its names. */
export type Served = {
  /** Newest first; draining ones too. */
  readonly backends: Backend[];
  /** The id under which the newest lists it. */
  readonly id: string;
  /** As the newest active one has it; undefined if all of them are draining. */
  model: Model | undefined;
  /**
   * Those that share its requests, newest first: the newest active one, and all active ones of its group. Undefined
   * if it takes all.
   */
  replicas: [Backend, ...Backend[]] | undefined;
};

/** @param known who has the model by the same name, of those that are newer */
export function putServed(known: Served | undefined, model: Model, backend: Backend): Served {
  const served = known ?? newlyServed(model.id);
  // A server may give one name to two of its models: then the first of them has it.
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

/** The models that some active backend has, sorted by id. */
export function activeModels(served: readonly Served[]): readonly Model[] {
  return served.flatMap(({ model }) => model ?? []).sort((a, b) => compare(a.id, b.id));
}

/** One server that has a model. */
export type Serving = {
  readonly server: Server;
  /** Its name when its backend was made. */
  readonly name: string;
  /** Which of the model's new requests it gets. */
  readonly gets: "all" | "shares" | "none";
};

/**
 * Each server that has the model once, the newest first.
 *
 * @param countMax the most servers that are told
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
    // A run that is back has a backend that drains beside the one that takes requests.
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

/** @returns those of each model that somebody takes requests for */
export function takersOf(served: readonly Served[]): readonly Takers[] {
  return served.flatMap(({ id, model, replicas }) =>
    model === undefined ? [] : [{ model: id, backends: replicas?.length ?? 1 }],
  );
}
