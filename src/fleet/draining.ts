/**
 * The draining backends of one server: how long they stay in the routing table, and how they leave
 * it. plan.ts decides whether a backend drains; this file does not.
 */
import type { Backend, CloseReason } from "../routing/backend.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Log } from "../telemetry/log.ts";
import type { Place, Step } from "./plan.ts";

export type DrainingInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  readonly drainTimeoutMs: number;
};

type Draining = {
  readonly place: Place;
  deadline: Timer | undefined;
  /** Only for its requests that may never end by themselves. */
  endlessDeadline: Timer | undefined;
};

export class DrainingBackends {
  readonly #init: DrainingInit;
  readonly #all = new Map<Backend, Draining>();

  constructor(init: DrainingInit) {
    this.#init = init;
  }

  /** Requests in flight on all draining backends together. */
  get inFlight(): number {
    return [...this.#all.keys()].reduce((sum, backend) => sum + backend.inFlight, 0);
  }

  /** Resolves when the last request on the backends that drain now has ended. */
  get idle(): Promise<unknown> {
    return Promise.all([...this.#all.keys()].map(({ idle }) => idle));
  }

  /**
   * True if one of them got its requests at this place. A run that has moved has a new `Place`, so we
   * compare places by identity.
   */
  hasSomeAt(place: Place | undefined): boolean {
    return [...this.#all.values()].some((draining) => draining.place === place);
  }

  /** Drains a backend. It stays until its deadline, if it gets one, or until it is removed. */
  add(backend: Backend, place: Place): void {
    this.#all.set(backend, { place, deadline: undefined, endlessDeadline: undefined });
    this.#init.table.drain(backend);
  }

  readonly deadlineSteps: Readonly<Record<Step["deadline"], () => void>> = {
    keep: () => undefined,
    set: () => this.#setDeadlines(),
    "set for endless": () => this.#setEndlessDeadlines(),
    "lift for endless": () => this.#liftEndlessDeadlines(),
  };

  /** Gives a deadline to each draining backend that has none. Follows a stop notice. */
  #setDeadlines(): void {
    for (const [backend, draining] of this.#all) {
      draining.deadline ??= setTimeout(() => this.#cut(backend), this.#init.drainTimeoutMs);
    }
  }

  /**
   * Gives a deadline to the requests that may never end by themselves, on each draining backend without such a
   * deadline. Follows `drain` by an operator. All other requests go on.
   */
  #setEndlessDeadlines(): void {
    for (const [backend, draining] of this.#all) {
      draining.endlessDeadline ??= setTimeout(
        () => this.#endEndless(backend),
        this.#init.drainTimeoutMs,
      );
    }
  }

  /** Undoes `#setEndlessDeadlines`. */
  #liftEndlessDeadlines(): void {
    for (const draining of this.#all.values()) {
      clearTimeout(draining.endlessDeadline);
      draining.endlessDeadline = undefined;
    }
  }

  /** Removes each once its last request has ended. Another backend serves in its place by now. */
  removeWhenIdle(): void {
    for (const backend of this.#all.keys()) {
      backend.idle.then(
        () => this.#remove(backend, "run-over"),
        () => undefined,
      );
    }
  }

  /** Removes all now, because their run is over. */
  removeAll(): void {
    for (const backend of this.#all.keys()) this.#remove(backend, "run-over");
  }

  #cut(backend: Backend): void {
    const { inFlight, name } = backend;
    this.#remove(backend, "cut");
    const level = inFlight > 0 ? "warn" : "info";
    const fields = { container: name, requests_cut: inFlight };
    this.#init.log[level]("drain timeout expired", fields);
  }

  #endEndless(backend: Backend): void {
    const count = backend.endEndless();
    if (count === 0) return;
    const fields = { container: backend.name, websockets_cut: count };
    this.#init.log.warn("drain timeout expired", fields);
  }

  #remove(backend: Backend, reason: CloseReason): void {
    const draining = this.#all.get(backend);
    if (draining === undefined) return;
    clearTimeout(draining.deadline);
    clearTimeout(draining.endlessDeadline);
    this.#all.delete(backend);
    this.#init.table.remove(backend, reason);
  }
}
