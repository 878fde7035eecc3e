/** Backends for the routing table: real objects with made-up places. */
import { Backend, type BackendInit } from "../../src/routing/backend.ts";

let counter = 0;

export function makeBackend(init: Partial<BackendInit> & { readonly seen?: number } = {}): Backend {
  counter += 1;
  const containerId = init.containerId ?? `${counter}`.padStart(64, "0");
  return new Backend({
    containerId,
    containerName: init.containerName ?? `container-${counter}`,
    origin: "http://127.0.0.1:9",
    basePath: "/v1",
    rank: init.rank ?? { seen: init.seen ?? counter, startedAtMs: 0, containerId },
    models: [{ id: "m" }],
    ...init,
  });
}
