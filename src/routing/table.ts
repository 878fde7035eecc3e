/**
 * The routing table: model → the backends that serve it. Only the fleet changes it. Request handling sees only the
 * type `Routes`. It holds no policy: `dispatcher.ts` takes the leases, and `names.ts` says which model a name means.
 */
import { type Backend, type CloseReason, doShare, isReplica, type Model } from "./backend.ts";
import { hasFailed } from "./choose.ts";
import { Dispatcher, type DispatcherInit } from "./dispatcher.ts";
import { type Expectation, Expectations, type Expected } from "./expectations.ts";
import { NameMap, sameEntries, sameIds } from "./names.ts";
import { type Overlap, overlapsByModel, overlapsWith } from "./overlap.ts";
import type { Asking, Draining, ModelLookup, Route, Routes } from "./routes.ts";
import { isSameRun, keyOf, newestFirst, type Run, type Server, startedLastFirst } from "./run.ts";
import { activeModels, putServed, type Served, type Takers, takersOf } from "./served.ts";

const NOTHING_KNOWN = {};

/** A kind of change of the table. */
export type TableUpdate = "admit" | "replace models" | "drain" | "remove";

export class RoutingTable implements Routes {
  readonly #onUpdate: (update: TableUpdate) => void;
  readonly #backends = new Set<Backend>();
  /** Rebuilt at every change: changes are rare, lookups are frequent. */
  #served = new NameMap<Served>();
  #list: readonly Model[] = [];
  readonly #expected = new Expectations();
  /** The backends that take new requests, newest first. */
  #active: readonly Backend[] = [];
  /** The active backends that have models. If no backend has models yet, all active backends. */
  #serving: readonly Backend[] = [];
  /** The id of a model whose requests all serving backends share. Undefined if there is none. */
  #sharedByAll: string | undefined;
  readonly #dispatcher: Dispatcher;
  #changed: () => void = () => undefined;

  /** @param onUpdate called after each change; it must be quick */
  constructor(onUpdate: (update: TableUpdate) => void = () => undefined, init?: DispatcherInit) {
    this.#onUpdate = onUpdate;
    this.#dispatcher = new Dispatcher(init);
  }

  get models(): readonly Model[] {
    return this.#list;
  }

  get activeCount(): number {
    return this.#active.length;
  }

  /** See `takersOf`. */
  get takers(): readonly Takers[] {
    return takersOf(this.#served.ofIds);
  }

  find(name: string): ModelLookup {
    const found = this.#lookUp(name);
    if (found === undefined) return this.#expected.unknown(name);
    if ("keys" in found) return { ...this.#expected.unavailable(found.keys), id: found.id };
    const { model, id, backends, replicas } = found;
    if (model === undefined) return { ...this.#draining(backends), id };
    // A draining replica counts too: a request may continue a response that it made.
    const isShared =
      replicas !== undefined && backends.filter((one) => doShare(one, replicas[0])).length > 1;
    return { kind: "live", model, isShared };
  }

  route(name: string, asking: Asking = NOTHING_KNOWN): Route {
    const found = this.#lookUp(name);
    if (found === undefined) return this.#expected.unknown(name);
    if ("keys" in found) return this.#expected.unavailable(found.keys);
    const { backends, replicas } = found;
    const servers =
      asking.goesToNewest && replicas !== undefined
        ? { ...found, replicas: this.#keepers(backends, replicas[0]) }
        : found;
    return this.#dispatcher.take(servers, asking) ?? this.#draining(backends);
  }

  canMove(name: string, failed: ReadonlySet<Backend>): boolean {
    const found = this.#lookUp(name);
    if (found === undefined || "keys" in found) return false;
    return found.replicas?.some((one) => !hasFailed(one, failed) && !one.load.isFull) === true;
  }

  cool(backend: Backend, ms: number): void {
    this.#dispatcher.cool(backend, ms);
  }

  only(asking?: Asking): Route | undefined {
    const keepers = asking?.goesToNewest ? this.#keepersOfAll : undefined;
    if (keepers !== undefined) return this.#routeToNewest(keepers, asking?.failed);
    if (this.#serving.length === 1) return this.#routeToNewest(this.#serving, asking?.failed);
    const [model] = this.#list;
    return model === undefined || this.#list.length > 1 ? undefined : this.route(model.id, asking);
  }

  onlyServer(): Route | undefined {
    const [newest] = this.#serving;
    if (newest === undefined) return undefined;
    const others = new Set(this.#expected.staying);
    for (const { run } of this.#serving) others.add(keyOf(run));
    for (const key of this.#sharingAll) others.delete(key);
    others.delete(keyOf(newest.run));
    if (others.size > 0) return undefined;
    const keepers = this.#keepersOfAll;
    return keepers === undefined ? this.newest() : this.#routeToNewest(keepers);
  }

  newest(): Route | undefined {
    return this.#dispatcher.newestOf(this.#serving);
  }

  routeToRun(run: Run): Route {
    const backends = this.#ofRun(run);
    if (backends.length === 0) return { kind: "unknown" };
    return this.#routeToNewest(backends);
  }

  hasRun(run: Run): boolean {
    return this.#ofRun(run).length > 0;
  }

  /** @returns the overlaps with active backends of other servers that serve one of its models too */
  admit(backend: Backend): readonly Overlap[] {
    this.#backends.add(backend);
    backend.load.onRoom = () => this.#changed();
    this.#rebuild();
    this.#onUpdate("admit");
    return overlapsWith(backend, this.#backends);
  }

  replaceModels(backend: Backend, models: readonly Model[]): readonly Overlap[] {
    const isNew = !sameIds(backend.models, models);
    if (isNew || !sameEntries(backend.models, models)) {
      backend.replaceModels(models);
      this.#rebuild();
    }
    if (isNew) this.#onUpdate("replace models");
    return overlapsWith(backend, this.#backends);
  }

  drain(backend: Backend): void {
    backend.drain();
    this.#rebuild();
    this.#onUpdate("drain");
  }

  /** Closes the backend. Its requests in flight get the reason. */
  remove(backend: Backend, reason: CloseReason): void {
    this.#backends.delete(backend);
    backend.close(reason);
    this.#rebuild();
    this.#onUpdate("remove");
  }

  /**
   * @param expectation what the server will probably serve; undefined if we expect no models of it
   * @param says with an undefined `expectation`: what became of the server, in words for clients
   */
  expect(server: Server, expectation: Expectation | undefined, says?: string): void {
    this.#expected.set(server, expectation, says);
    this.#changed();
  }

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** See `overlapsByModel`. */
  get overlaps(): readonly Overlap[] {
    return overlapsByModel(this.#served.ofIds);
  }

  /** The backends of a model, by its id in the model list. */
  servedBy(id: string): Served | undefined {
    return this.#served.ofId(id);
  }

  /** The active backends that belong to a group of replicas, even if they are alone in it. */
  get replicas(): readonly Backend[] {
    return this.#active.filter(isReplica);
  }

  /** See `#keepers`. Undefined unless all servers share one model. */
  get #keepersOfAll(): readonly Backend[] | undefined {
    const shared = this.#served.ofId(this.#sharedByAll ?? "");
    return shared?.replicas && this.#keepers(shared.backends, shared.replicas[0]);
  }

  /**
   * The keeper is the replica that stores files and the like. It is always the replica that started last. Its health
   * does not count, because health may come and go: requests wait for it, unless it is leaving for good.
   *
   * @param replica one of the replicas that share the requests
   */
  #keepers(backends: readonly Backend[], replica: Backend): readonly Backend[] {
    const staying = backends.filter(
      (one) =>
        doShare(one, replica) &&
        (one.state === "active" || !this.#expected.isLeaving(keyOf(one.run))),
    );
    const [keeper] = staying.sort(startedLastFirst);
    return keeper === undefined ? backends : [keeper];
  }

  #routeToNewest(backends: readonly Backend[], failed?: ReadonlySet<Backend>): Route {
    return this.#dispatcher.newestOf(backends, failed) ?? this.#draining(backends);
  }

  #ofRun(run: Run): readonly Backend[] {
    return [...this.#backends].filter((backend) => isSameRun(backend.run, run));
  }

  /**
   * The first rule that finds a model decides, even if that model is only expected and a later rule would find a
   * served one. So a name keeps its meaning while its server starts again.
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

  /** The keys of the replicas of a model that all active servers share. Replicas that may come back count too. */
  get #sharingAll(): readonly string[] {
    const model = this.#sharedByAll;
    const [replica] = this.#served.ofId(model ?? "")?.replicas ?? [];
    if (model === undefined || replica === undefined) return [];
    const keys = new Set(this.#expected.having(model));
    for (const { run } of this.#serving) keys.add(keyOf(run));
    for (const one of this.#backends) if (!doShare(one, replica)) keys.delete(keyOf(one.run));
    return [...keys];
  }

  #draining(backends: readonly Backend[]): Draining {
    return this.#expected.draining(backends.map(({ run }) => keyOf(run)));
  }

  #rebuild(): void {
    const newest = [...this.#backends].sort(newestFirst);
    const served = new NameMap<Served>();
    for (const backend of newest) {
      for (const model of backend.models)
        served.add(model, (known) => putServed(known, model, backend));
    }
    this.#served = served;
    this.#active = newest.filter(({ state }) => state === "active");
    const serving = this.#active.filter(({ models }) => models.length > 0);
    this.#serving = serving.length > 0 ? serving : this.#active;
    this.#sharedByAll = served.ofIds.find(
      ({ replicas }) => replicas !== undefined && replicas.length === serving.length,
    )?.id;
    this.#dispatcher.keep((id) => served.ofId(id)?.backends.some(isReplica) === true);
    this.#list = activeModels(served.ofIds);
    this.#changed();
  }
}
