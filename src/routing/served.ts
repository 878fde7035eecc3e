/** Who serves a model by one of its names, put together backend by backend, newest first. Pure. */
import type { Backend, Model } from "./backend.ts";

/** Who serves a model by one of its names. */
export type Served = {
  /** Newest first; draining ones too. */
  readonly backends: Backend[];
  /** The id under which the newest lists it. */
  readonly id: string;
  /** As the newest active one has it; undefined if all of them are draining. */
  model: Model | undefined;
  /** Those that share its requests, newest first; undefined if the newest active one takes all. */
  replicas: Backend[] | undefined;
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
    if (backend.isReplica) served.replicas = [backend];
  } else if (backend.isReplica) served.replicas?.push(backend);
  return served;
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
