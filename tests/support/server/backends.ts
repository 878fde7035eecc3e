/** Backends for the routing table: real objects with made-up places. */
import { Backend, type BackendInit, type Model } from "../../../src/routing/backend.ts";

type Entry = { readonly id: string; readonly [field: string]: unknown };

/** The model whose server lists it as this object. */
export function model(entry: Entry): Model {
  return { id: entry.id, json: JSON.stringify(entry) };
}

export function models(...entries: readonly Entry[]): readonly Model[] {
  return entries.map(model);
}

/** What the servers of these models listed. */
export function listed(list: readonly Model[]): readonly unknown[] {
  return list.map(({ json }) => JSON.parse(json) as unknown);
}

/** A list that was read whole, of models that are nothing but an id. */
export function listOf(...ids: readonly string[]): { readonly models: readonly Model[] } {
  return { models: models(...ids.map((id) => ({ id }))) };
}

type Init = Partial<Omit<BackendInit, "models">> & {
  readonly seen?: number;
  readonly models?: readonly Entry[];
};

let counter = 0;

export function makeBackend(init: Init = {}): Backend {
  counter += 1;
  const containerId = init.containerId ?? `${counter}`.padStart(64, "0");
  return new Backend({
    containerId,
    containerName: init.containerName ?? `container-${counter}`,
    origin: "http://127.0.0.1:9",
    basePath: "/v1",
    rank: init.rank ?? { seen: init.seen ?? counter, startedAtMs: 0, containerId },
    ...init,
    models: models(...(init.models ?? [{ id: "m" }])),
  });
}
