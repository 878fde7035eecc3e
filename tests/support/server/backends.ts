/** Backends and models for the routing table: real objects, but without servers. */
import { Backend, type BackendInit, type Model } from "../../../src/routing/backend.ts";
import type { Run } from "../../../src/routing/run.ts";
import { LABELLED_REPLICAS } from "../../../src/sources/sighting.ts";

export type Entry = Omit<Model, "json"> & { readonly [field: string]: unknown };

/** A model whose server lists it as this object. */
export function model(entry: Entry): Model {
  const { id, aliases, parent } = entry;
  return {
    id,
    json: JSON.stringify(entry),
    ...(aliases && { aliases }),
    ...(parent && { parent }),
  };
}

export function models(...entries: readonly Entry[]): readonly Model[] {
  return entries.map(model);
}

/** The objects from the servers' lists of these models. */
export function listed(list: readonly Model[]): readonly unknown[] {
  return list.map(({ json }) => JSON.parse(json) as unknown);
}

/** A complete list of models that have only an id. */
export function listOf(...ids: readonly string[]): { readonly models: readonly Model[] } {
  return { models: models(...ids.map((id) => ({ id }))) };
}

type Init = Partial<Omit<BackendInit, "models" | "run">> & {
  readonly run?: Partial<Run>;
  readonly models?: readonly Entry[];
  /** Its server has the replica label: it shares requests with the other replicas. */
  readonly isReplica?: boolean;
};

let counter = 0;

export function makeBackend({ isReplica = false, ...init }: Init = {}): Backend {
  counter += 1;
  const id = `${counter}`.padStart(64, "0");
  return new Backend({
    name: `container-${counter}`,
    origin: "http://127.0.0.1:9",
    basePath: "/v1",
    rank: counter,
    shares: isReplica ? LABELLED_REPLICAS : undefined,
    ...init,
    run: { source: "docker", id, startedAtMs: 0, ...init.run },
    models: models(...(init.models ?? [{ id: "m" }])),
  });
}
