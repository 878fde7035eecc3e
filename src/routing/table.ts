/**
 * The routing table: model → the backends that serve it. The fleet alone changes it; requests see the face
 * of it that `routes.ts` describes. Holds no policy: `choose.ts` says who is asked first.
 */
import type { Backend, CloseReason, Lease, Model } from "./backend.ts";
import { type Asking, choose } from "./choose.ts";
import type { ModelLookup, Nobody, Route, Routes } from "./routes.ts";
import {
  compare,
  isSameRun,
  isSameServer,
  keyOf,
  newestFirst,
  type Run,
  type Server,
} from "./run.ts";

/** What a server that has no backend in the table is expected to serve. */
export type Expectation = {
  /** `back`: the server itself served them last. `anew`: another one of its name did. */
  readonly kind: "back" | "anew";
  readonly modelIds: readonly string[];
};

/** Two active backends with the same models: `winner` gets the requests, `other` waits. */
export type Overlap = {
  readonly winner: Backend;
  readonly other: Backend;
  readonly modelIds: readonly string[];
};

/** Who serves a model. */
type Served = {
  /** Newest first; draining ones too. */
  readonly backends: readonly Backend[];
  /** As the newest active one has it; undefined if all of them are draining. */
  readonly model: Model | undefined;
};

/** What has happened to the table. */
export type TableUpdate = "admit" | "replace models" | "drain" | "remove";

export class RoutingTable implements Routes {
  readonly #onUpdate: (update: TableUpdate) => void;
  readonly #backends = new Set<Backend>();
  /** By model. Rebuilt at every change: changes are rare, look-ups are not. */
  #served: ReadonlyMap<string, Served> = new Map();
  #list: readonly Model[] = [];
  /** What each server is expected to serve, by `keyOf`. */
  readonly #expected = new Map<string, Expectation & { readonly ids: ReadonlySet<string> }>();
  /** Those that take new requests, newest first. */
  #active: readonly Backend[] = [];

  /** @param onUpdate called after each change; must be quick */
  constructor(onUpdate: (update: TableUpdate) => void = () => undefined) {
    this.#onUpdate = onUpdate;
  }

  get models(): readonly Model[] {
    return this.#list;
  }

  /** How many backends take new requests. */
  get activeCount(): number {
    return this.#active.length;
  }

  find(modelId: string): ModelLookup {
    const served = this.#served.get(modelId);
    if (served === undefined) return this.#nobody(modelId);
    const { model } = served;
    return model === undefined ? { kind: "draining" } : { kind: "live", model };
  }

  route(modelId: string, asking?: Asking<Backend>): Route {
    const served = this.#served.get(modelId);
    if (served === undefined) return this.#nobody(modelId);
    const lease = firstLease(choose(served.backends, asking));
    return lease === undefined ? { kind: "draining" } : { kind: "routed", lease };
  }

  only(): Lease | undefined {
    if (this.#active.length === 1) return firstLease(this.#active);
    const [model] = this.#list;
    if (model === undefined || this.#list.length > 1) return undefined;
    const route = this.route(model.id);
    return route.kind === "routed" ? route.lease : undefined;
  }

  newest(): Lease | undefined {
    return firstLease(this.#active);
  }

  routeToRun(run: Run): Route {
    const backends = this.#ofRun(run);
    const lease = firstLease(backends);
    if (lease !== undefined) return { kind: "routed", lease };
    return backends.length > 0 ? { kind: "draining" } : { kind: "unknown", isStarting: false };
  }

  hasRun(run: Run): boolean {
    return this.#ofRun(run).length > 0;
  }

  /** @returns the active backends of other servers that serve one of its models too */
  admit(backend: Backend): readonly Overlap[] {
    this.#backends.add(backend);
    this.#rebuild();
    this.#onUpdate("admit");
    return this.#overlaps(backend);
  }

  replaceModels(backend: Backend, models: readonly Model[]): readonly Overlap[] {
    const isNew = !sameIds(backend.models, models);
    if (isNew || !sameModels(backend.models, models)) {
      backend.replaceModels(models);
      this.#rebuild();
    }
    if (isNew) this.#onUpdate("replace models");
    return this.#overlaps(backend);
  }

  drain(backend: Backend): void {
    backend.drain();
    this.#rebuild();
    this.#onUpdate("drain");
  }

  /** Tells its requests in flight the reason. */
  remove(backend: Backend, reason: CloseReason): void {
    this.#backends.delete(backend);
    backend.close(reason);
    this.#rebuild();
    this.#onUpdate("remove");
  }

  /** @param expectation what the server will probably serve; undefined if nothing is known of that */
  expect(server: Server, expectation: Expectation | undefined): void {
    const key = keyOf(server);
    if (expectation === undefined) {
      this.#expected.delete(key);
      return;
    }
    const { kind, modelIds } = expectation;
    const known = this.#expected.get(key);
    // The fleet says it at each look, mostly with the same list: then the set need not be made again.
    const ids = known?.modelIds === modelIds ? known.ids : new Set(modelIds);
    this.#expected.set(key, { kind, modelIds, ids });
  }

  #ofRun(run: Run): readonly Backend[] {
    return [...this.#backends].filter((backend) => isSameRun(backend.run, run));
  }

  #nobody(modelId: string): Nobody {
    let isStarting = false;
    for (const { kind, ids } of this.#expected.values()) {
      if (!ids.has(modelId)) continue;
      if (kind === "back") return { kind: "unavailable" };
      isStarting = true;
    }
    return { kind: "unknown", isStarting };
  }

  #rebuild(): void {
    const newest = [...this.#backends].sort(newestFirst);
    const backends = new Map<string, Backend[]>();
    const live = new Map<string, Model>();
    for (const backend of newest) {
      for (const model of backend.models) {
        const others = backends.get(model.id);
        if (others === undefined) backends.set(model.id, [backend]);
        else others.push(backend);
        if (backend.state === "active" && !live.has(model.id)) live.set(model.id, model);
      }
    }
    this.#served = new Map(
      [...backends].map(([id, serving]) => [id, { backends: serving, model: live.get(id) }]),
    );
    this.#active = newest.filter(({ state }) => state === "active");
    this.#list = [...live.values()].sort((a, b) => compare(a.id, b.id));
  }

  #overlaps(backend: Backend): readonly Overlap[] {
    const ids = new Set(backend.models.map(({ id }) => id));
    const overlaps: Overlap[] = [];
    for (const rival of this.#backends) {
      if (isSameServer(rival.run, backend.run) || rival.state !== "active") continue;
      const modelIds = rival.models.filter(({ id }) => ids.has(id)).map(({ id }) => id);
      if (modelIds.length === 0) continue;
      const [winner, other] = newestFirst(backend, rival) < 0 ? [backend, rival] : [rival, backend];
      overlaps.push({ winner, other, modelIds });
    }
    return overlaps;
  }
}

/** Asks one after the other. The count is taken in the same step. */
function firstLease(backends: readonly Backend[]): Lease | undefined {
  for (const backend of backends) {
    const lease = backend.acquire();
    if (lease !== undefined) return lease;
  }
  return undefined;
}

/** Says whether two lists have the same ids, in whatever order. No list has an id twice. */
function sameIds(some: readonly Model[], others: readonly Model[]): boolean {
  if (some.length !== others.length) return false;
  const ids = new Set(others.map(({ id }) => id));
  return some.every(({ id }) => ids.has(id));
}

/** Says whether two lists that have the same ids are equal, order included. */
function sameModels(some: readonly Model[], others: readonly Model[]): boolean {
  return some.every(({ json }, index) => json === others[index]?.json);
}
