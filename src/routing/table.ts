/**
 * The routing table: model → who takes a request for it. Written by discovery only; read by
 * every request. Synchronous throughout: nothing can happen between a look-up and its count.
 */
import type { Backend, CloseReason, Lease, Model } from "./backend.ts";
import {
  compare,
  isSameRun,
  isSameServer,
  keyOf,
  newestFirst,
  type Run,
  type Server,
} from "./run.ts";

/** The answer to "who takes a request for this model?". */
export type Route = { readonly kind: "routed"; readonly lease: Lease } | Nobody;

/** Why nobody takes one. */
type Nobody =
  /** Whoever serves it takes no new request. */
  | { readonly kind: "draining" }
  /** Nobody serves it, but who did runs on or starts again. */
  | { readonly kind: "unavailable" }
  | {
      readonly kind: "unknown";
      /** Whether a container is starting that takes the place of one that served it. */
      readonly isStarting: boolean;
    };

/** What a container that has no backend in the table is expected to serve. */
export type Expectation = {
  /** `back`: the container itself served them last. `anew`: another one of its name did. */
  readonly kind: "back" | "anew";
  readonly modelIds: readonly string[];
};

/** Two active backends with the same models: `winner` gets the requests, `other` waits. */
export type Overlap = {
  readonly winner: Backend;
  readonly other: Backend;
  readonly modelIds: readonly string[];
};

/** What the table answers about one model without taking a lease. */
export type ModelLookup = { readonly kind: "live"; readonly model: Model } | Nobody;

type Entry = { readonly backend: Backend; readonly model: Model };

/** What has happened to the table. */
export type TableUpdate = "admit" | "replace models" | "drain" | "remove";

export class RoutingTable {
  readonly #onUpdate: (update: TableUpdate) => void;
  readonly #backends = new Set<Backend>();
  /** Newest first. Rebuilt at every change: changes are rare, look-ups are not. */
  #entries = new Map<string, readonly Entry[]>();
  #list: readonly Model[] = [];
  /** By server. */
  readonly #expected = new Map<string, Expectation & { readonly ids: ReadonlySet<string> }>();
  /** Newest first. */
  #active: readonly Backend[] = [];

  /** @param onUpdate told of each change that was made; must be quick */
  constructor(onUpdate: (update: TableUpdate) => void = () => undefined) {
    this.#onUpdate = onUpdate;
  }

  /** All active models, one object each (the winner's), sorted by id; another list when they change. */
  get models(): readonly Model[] {
    return this.#list;
  }

  /** How many backends take new requests. */
  get activeCount(): number {
    return this.#active.length;
  }

  get backends(): ReadonlySet<Backend> {
    return this.#backends;
  }

  /**
   * Takes the lease: there must be no `await` between this call and the forwarding.
   *
   * @param except backends that have failed the request already
   */
  route(modelId: string, except?: ReadonlySet<Backend>): Route {
    const entries = this.#entries.get(modelId);
    if (entries === undefined) return this.#nobody(modelId);
    for (const { backend } of entries) {
      const lease = except?.has(backend) ? undefined : backend.acquire();
      if (lease !== undefined) return { kind: "routed", lease };
    }
    return { kind: "draining" };
  }

  /** Takes a lease on the only active backend, if there is exactly one. */
  only(): Lease | undefined {
    return this.#active.length === 1 ? this.#active[0]?.acquire() : undefined;
  }

  /** Takes a lease on the active backend that became routable last. */
  newest(): Lease | undefined {
    return this.#active[0]?.acquire();
  }

  /** Takes a lease on the active backend of one run, whatever its models. */
  routeToRun(run: Run): Route {
    const backends = this.#ofRun(run);
    for (const backend of backends) {
      const lease = backend.acquire();
      if (lease !== undefined) return { kind: "routed", lease };
    }
    return backends.length > 0 ? { kind: "draining" } : { kind: "unknown", isStarting: false };
  }

  /** Whether there is a backend of one run, active or draining. */
  hasRun(run: Run): boolean {
    return this.#ofRun(run).length > 0;
  }

  find(modelId: string): ModelLookup {
    const entries = this.#entries.get(modelId);
    if (entries === undefined) return this.#nobody(modelId);
    const live = entries.find(({ backend }) => backend.state === "active");
    return live === undefined ? { kind: "draining" } : { kind: "live", model: live.model };
  }

  /** @returns the active backends of other containers that serve one of its models too */
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

  /** Its requests in flight are told why: see `CloseReason`. */
  remove(backend: Backend, why: CloseReason): void {
    this.#backends.delete(backend);
    backend.close(why);
    this.#rebuild();
    this.#onUpdate("remove");
  }

  /** @param expectation what a server is to serve, as far as is known; undefined: nothing */
  expect(server: Server, expectation: Expectation | undefined): void {
    const key = keyOf(server);
    if (expectation === undefined) {
      this.#expected.delete(key);
      return;
    }
    const { kind, modelIds } = expectation;
    const known = this.#expected.get(key);
    // It is said at each look, mostly of the same list: that is not gone through again.
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
    const entries = new Map<string, Entry[]>();
    const newest = [...this.#backends].sort(newestFirst);
    for (const backend of newest) {
      for (const model of backend.models) {
        const known = entries.get(model.id);
        if (known === undefined) entries.set(model.id, [{ backend, model }]);
        else known.push({ backend, model });
      }
    }
    this.#entries = entries;
    this.#active = newest.filter(({ state }) => state === "active");
    this.#list = [...entries.values()]
      .map((all) => all.find(({ backend }) => backend.state === "active")?.model)
      .filter((model) => model !== undefined)
      .sort((a, b) => compare(a.id, b.id));
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

/** In whatever order; an id comes once in each. */
function sameIds(some: readonly Model[], others: readonly Model[]): boolean {
  if (some.length !== others.length) return false;
  const ids = new Set(others.map(({ id }) => id));
  return some.every(({ id }) => ids.has(id));
}

/** Of two with the same ids; an order that is another one is another list. */
function sameModels(some: readonly Model[], others: readonly Model[]): boolean {
  return some.every(({ json }, index) => json === others[index]?.json);
}
