/**
 * The backends of one server that take no new request: how long they stay in the table, and how they leave
 * it. Whether a backend drains is not decided here but in plan.ts.
 */
import type { Backend, CloseReason } from "../routing/backend.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Log } from "../telemetry/log.ts";
import type { Place } from "./plan.ts";

export type DrainingInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  readonly drainTimeoutMs: number;
};

type Draining = { readonly place: Place; deadline: Timer | undefined };

export class DrainingBackends {
  readonly #init: DrainingInit;
  readonly #all = new Map<Backend, Draining>();

  constructor(init: DrainingInit) {
    this.#init = init;
  }

  /** Requests in flight on all of them. */
  get inFlight(): number {
    return [...this.#all.keys()].reduce((sum, backend) => sum + backend.inFlight, 0);
  }

  /** Whether some took their requests at this very place: a run that has moved has another one. */
  hasSomeAt(place: Place | undefined): boolean {
    return [...this.#all.values()].some((draining) => draining.place === place);
  }

  /** It stays until its deadline, if it is given one, or until it is removed. */
  add(backend: Backend, place: Place): void {
    this.#all.set(backend, { place, deadline: undefined });
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
