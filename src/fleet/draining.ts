/**
 * The backends of one container that take no new request: how long they stay in the table, and how
 * they leave it. Why a backend drains is decided in tracked-container.ts.
 */
import type { Backend, CloseReason } from "../routing/backend.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Run } from "../sources/docker/observe.ts";
import type { Log } from "../telemetry/log.ts";

export type DrainingInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  readonly drainTimeoutMs: number;
};

type Draining = { readonly run: Run; deadline: Timer | undefined };

export class DrainingBackends {
  readonly #init: DrainingInit;
  readonly #all = new Map<Backend, Draining>();

  constructor(init: DrainingInit) {
    this.#init = init;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Requests in flight on all of them. */
  get inFlight(): number {
    return [...this.#all.keys()].reduce((sum, backend) => sum + backend.inFlight, 0);
  }

  hasSomeOf(run: Run | undefined): boolean {
    return [...this.#all.values()].some((draining) => draining.run === run);
  }

  /** It stays until its deadline, if it is given one, or until it is removed. */
  add(backend: Backend, run: Run): void {
    this.#all.set(backend, { run, deadline: undefined });
    this.#init.table.drain(backend);
  }

  /** A stop notice gives every one its deadline, unless it has one. */
  setDeadlines(): void {
    for (const [backend, draining] of this.#all) {
      draining.deadline ??= setTimeout(() => this.#cut(backend), this.#init.drainTimeoutMs);
    }
  }

  /** Another backend serves in their place: each has nothing to say any more once it has nothing to do. */
  removeWhenIdle(): void {
    for (const backend of this.#all.keys()) {
      backend.idle.then(
        () => this.#remove(backend, "run-over"),
        () => undefined,
      );
    }
  }

  /** The run is over. */
  removeAll(): void {
    for (const backend of this.#all.keys()) this.#remove(backend, "run-over");
  }

  #cut(backend: Backend): void {
    const { inFlight, name } = backend;
    this.#remove(backend, "cut");
    const level = inFlight > 0 ? "warn" : "info";
    const fields = { container: name, requests_cut: inFlight };
    this.#init.log[level]("the time to drain is up", fields);
  }

  #remove(backend: Backend, why: CloseReason): void {
    const draining = this.#all.get(backend);
    if (draining === undefined) return;
    clearTimeout(draining.deadline);
    this.#all.delete(backend);
    this.#init.table.remove(backend, why);
  }
}
