/**
 * The routing table: model → the backends that serve it. The fleet alone changes it; requests see the face
 * of it that `routes.ts` describes. Holds no policy: `choose.ts` says who is asked first, and `names.ts`
 * which model a name means.
 */
import type { Backend, CloseReason, Lease, Model } from "./backend.ts";
import { type Asking, choose } from "./choose.ts";
import { type Expectation, Expectations, type Expected } from "./expectations.ts";
import { NameMap } from "./names.ts";
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

/** Two active backends with the same models: `winner` gets the requests, `other` waits. */
export type Overlap = {
  readonly winner: Backend;
  readonly other: Backend;
  readonly modelIds: readonly string[];
};

/** Who serves a model by one of its names. */
type Served = {
  /** Newest first; draining ones too. */
  readonly backends: Backend[];
  /** The id under which the newest lists it. */
  readonly id: string;
  /** As the newest active one has it; undefined if all of them are draining. */
  model: Model | undefined;
};

/** What has happened to the table. */
export type TableUpdate = "admit" | "replace models" | "drain" | "remove";

export class RoutingTable implements Routes {
  readonly #onUpdate: (update: TableUpdate) => void;
  readonly #backends = new Set<Backend>();
  /** Rebuilt at every change: changes are rare, look-ups are not. */
  #served = new NameMap<Served>();
  #list: readonly Model[] = [];
  readonly #expected = new Expectations();
  /** Those that take new requests, newest first. */
  #active: readonly Backend[] = [];
  /** Those of them that have models. All of them, if none has: a server may have nothing to list yet. */
  #serving: readonly Backend[] = [];

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

  find(name: string): ModelLookup {
    const found = this.#lookUp(name);
    if (found === undefined) return { kind: "unknown" };
    if ("keys" in found) return { ...this.#unavailable(found), id: found.id };
    const { model, id } = found;
    return model === undefined
      ? { ...this.#draining(found.backends), id }
      : { kind: "live", model };
  }

  route(name: string, asking?: Asking<Backend>): Route {
    const found = this.#lookUp(name);
    if (found === undefined) return { kind: "unknown" };
    if ("keys" in found) return this.#unavailable(found);
    const lease = firstLease(choose(found.backends, asking));
    return lease === undefined ? this.#draining(found.backends) : { kind: "routed", lease };
  }

  only(): Lease | undefined {
    if (this.#serving.length === 1) return firstLease(this.#serving);
    const [model] = this.#list;
    if (model === undefined || this.#list.length > 1) return undefined;
    const route = this.route(model.id);
    return route.kind === "routed" ? route.lease : undefined;
  }

  onlyServer(): Lease | undefined {
    const servers = new Set(this.#expected.staying);
    for (const { run } of this.#serving) servers.add(keyOf(run));
    return servers.size === 1 ? firstLease(this.#serving) : undefined;
  }

  newest(): Lease | undefined {
    return firstLease(this.#serving);
  }

  routeToRun(run: Run): Route {
    const backends = this.#ofRun(run);
    const lease = firstLease(backends);
    if (lease !== undefined) return { kind: "routed", lease };
    return backends.length > 0 ? this.#draining(backends) : { kind: "unknown" };
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
    this.#expected.set(server, expectation);
  }

  /** Who gets the requests for the models that several active backends have, one for each two of them. */
  get overlaps(): readonly Overlap[] {
    const byWinner = new Map<Backend, Map<Backend, string[]>>();
    for (const { id, backends } of this.#served.ofIds) {
      if (backends.length === 1) continue;
      const [winner, ...others] = backends.filter(({ state }) => state === "active");
      for (const other of others) {
        if (winner === undefined) continue;
        const byOther = byWinner.getOrInsertComputed(winner, () => new Map<Backend, string[]>());
        byOther.getOrInsertComputed(other, () => []).push(id);
      }
    }
    return [...byWinner].flatMap(([winner, byOther]) =>
      [...byOther].map(([other, modelIds]) => ({ winner, other, modelIds })),
    );
  }

  #ofRun(run: Run): readonly Backend[] {
    return [...this.#backends].filter((backend) => isSameRun(backend.run, run));
  }

  /**
   * The first rule that finds a model decides, even if that model is only expected and a later rule would find
   * one that is served. So a name means the same while its server starts again.
   */
  #lookUp(name: string): Served | Expected | undefined {
    const exact = this.#served.ofId(name);
    if (exact !== undefined) return exact;
    const expected = this.#expected.ofName(name);
    for (const [rule, served] of this.#served.ofName(name).entries()) {
      const found = served ?? expected[rule];
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #draining(backends: readonly Backend[]): Extract<Nobody, { readonly kind: "draining" }> {
    const keys = backends.map(({ run }) => keyOf(run));
    return { kind: "draining", trouble: this.#expected.troubleOf(keys) };
  }

  #unavailable({ keys }: Expected): Extract<Nobody, { readonly kind: "unavailable" }> {
    return { kind: "unavailable", trouble: this.#expected.troubleOf(keys) };
  }

  #rebuild(): void {
    const newest = [...this.#backends].sort(newestFirst);
    const served = new NameMap<Served>();
    for (const backend of newest) {
      for (const model of backend.models) served.add(model, (known) => put(known, model, backend));
    }
    this.#served = served;
    this.#active = newest.filter(({ state }) => state === "active");
    const serving = this.#active.filter(({ models }) => models.length > 0);
    this.#serving = serving.length > 0 ? serving : this.#active;
    this.#list = served.ofIds
      .flatMap(({ model }) => model ?? [])
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

/** @param known who has the model by the same name, of those that are newer */
function put(known: Served | undefined, model: Model, backend: Backend): Served {
  const served = known ?? { backends: [], id: model.id, model: undefined };
  // A server may give one name to two of its models: then the first of them has it.
  if (served.backends.at(-1) === backend) return served;
  served.backends.push(backend);
  if (backend.state === "active") served.model ??= model;
  return served;
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
