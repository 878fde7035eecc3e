/**
 * A backend: one run of a server that takes requests, and the leases that count them. Does no I/O: it knows where
 * the server is, not how to talk to it.
 */
import { Ending } from "./ending.ts";
import { Load } from "./load.ts";
import type { Rank, Run } from "./run.ts";

/** One entry of a server's `GET /v1/models`. */
export type Model = {
  readonly id: string;
  /** The whole entry, a JSON object, as the server wrote it. */
  readonly json: string;
  /** Other names for the model in requests, from the entry. */
  readonly aliases?: readonly string[];
  /** The id of the base model if this model is an adapter, from the entry. */
  readonly parent?: string;
};

/** Only moves to the right: active → draining → closed. A run that comes back gets a new Backend. */
export type BackendState = "active" | "draining" | "closed";

export type BackendInit = {
  readonly run: Run;
  /** The server's name, as people know it. */
  readonly name: string;
  /** `http://host:port` without a path. */
  readonly origin: string;
  /** The path prefix of the server's API: `""` or `/v1`, without a trailing slash. */
  readonly basePath: string;
  readonly rank: Rank;
  readonly models: readonly Model[];
  /** The group that shares the requests of its models. Undefined if it does not share. */
  readonly shares?: string | undefined;
  /** The load of its run, which all backends of the run share. The default is a new one. */
  readonly load?: Load;
  /** What we know about the end of its run. Shared like the load. */
  readonly ending?: Ending;
  /** True if its machine may disappear without notice. Packets to its address are then lost silently. */
  readonly mayVanish?: boolean | undefined;
  /** See `Backend.reportUnreachable`. */
  readonly onUnreachable?: (how: Unreachable) => void;
};

/**
 * The reason why a backend closed.
 * - `run-over`: the server is gone. Requests in flight end with their connections.
 * - `cut`: the drain timeout has expired. Requests in flight must end now.
 */
export type CloseReason = "run-over" | "cut";

/**
 * Why no connection to a backend could be made.
 * - `not connected`: the kernel has no route to the address, or has given up.
 * - `unreachable`: the connection timed out.
 */
export type Unreachable = "connection refused" | "not connected" | "unreachable";

/** The open leases of one backend. */
type Leases = {
  count: number;
  closedBy: CloseReason | undefined;
  readonly closeListeners: Set<(reason: CloseReason) => void>;
  /** The listeners of the requests that may never end by themselves. */
  readonly endless: Set<() => void>;
  isEndlessOver: boolean;
  /** Called when a lease has ended. */
  readonly ended: () => void;
};

/** One request counted in on a backend. A class without closures, because thousands may be open. */
export class Lease {
  readonly backend: Backend;
  /** See `Backend.acquire`. */
  readonly unreadBytes: number;
  readonly #leases: Leases;
  #isOpen = true;
  #hasAnswer: boolean;
  #closeListener: ((reason: CloseReason) => void) | undefined;
  #timeListener: (() => void) | undefined;

  constructor(backend: Backend, leases: Leases, unreadBytes: number) {
    this.backend = backend;
    this.#leases = leases;
    this.unreadBytes = unreadBytes;
    this.#hasAnswer = unreadBytes === 0;
    leases.count += 1;
    backend.load.began(unreadBytes);
  }

  /** Calls the listener when the backend closes while the lease is open. At most one listener. */
  onClose(listener: (reason: CloseReason) => void): void {
    if (!this.#isOpen) return;
    const { closedBy, closeListeners } = this.#leases;
    this.#closeListener = listener;
    closeListeners.add(listener);
    if (closedBy !== undefined) listener(closedBy);
  }

  /**
   * For requests that may never end by themselves, like WebSockets. Calls the listener when the request must end
   * although its backend goes on. At most one listener.
   */
  onTimeUp(listener: () => void): void {
    if (!this.#isOpen) return;
    this.#timeListener = listener;
    this.#leases.endless.add(listener);
    if (this.#leases.isEndlessOver) listener();
  }

  /** The first byte of the answer's body has arrived: the server has read the prompt. Only the first call counts. */
  answering(): void {
    if (this.#hasAnswer) return;
    this.#hasAnswer = true;
    this.backend.load.wasRead(this.unreadBytes);
  }

  /** Counts the request out. Only the first call counts: end of body, hang-up and error may all report. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.answering();
    this.backend.load.ended();
    const leases = this.#leases;
    if (this.#closeListener !== undefined) leases.closeListeners.delete(this.#closeListener);
    if (this.#timeListener !== undefined) leases.endless.delete(this.#timeListener);
    leases.count -= 1;
    leases.ended();
  }
}

export class Backend {
  readonly run: Run;
  readonly name: string;
  readonly origin: string;
  readonly basePath: string;
  readonly rank: Rank;
  /** See `BackendInit`. */
  readonly shares: string | undefined;
  /** See `BackendInit`. */
  readonly mayVanish: boolean;
  readonly load: Load;
  readonly ending: Ending;
  readonly #onUnreachable: ((how: Unreachable) => void) | undefined;
  #models: readonly Model[];
  #state: BackendState = "active";
  readonly #leases: Leases = {
    count: 0,
    closedBy: undefined,
    closeListeners: new Set(),
    endless: new Set(),
    isEndlessOver: false,
    ended: () => this.#settle(),
  };
  readonly #left = new AbortController();
  readonly #idle = Promise.withResolvers<void>();

  constructor(init: BackendInit) {
    this.run = init.run;
    this.name = init.name;
    this.origin = init.origin;
    this.basePath = init.basePath;
    this.rank = init.rank;
    this.shares = init.shares;
    this.mayVanish = init.mayVanish ?? false;
    this.load = init.load ?? new Load();
    this.ending = init.ending ?? new Ending();
    this.#models = init.models;
    this.#onUnreachable = init.onUnreachable;
  }

  get state(): BackendState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#leases.count;
  }

  get models(): readonly Model[] {
    return this.#models;
  }

  /** Aborted when the backend stops taking new requests: when it begins to drain, or closes. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** Resolves when the backend takes no new requests and the last lease has ended. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  /**
   * Counts one request in. Refuses if the backend is not active, or is full.
   * Invariant: state check and count happen in one synchronous step, so no request
   * can slip in after `drain()` has looked at the count.
   *
   * @param unreadBytes bytes of the prompt that count as load until the answer begins
   * @returns undefined if it refuses
   */
  acquire(unreadBytes = 0): Lease | undefined {
    if (this.#state !== "active" || this.load.isFull) return undefined;
    return new Lease(this, this.#leases, unreadBytes);
  }

  /** Called when no connection to its address could be made. The fleet decides what follows. */
  reportUnreachable(how: Unreachable): void {
    this.#onUnreachable?.(how);
  }

  replaceModels(models: readonly Model[]): void {
    this.#models = models;
  }

  /** Takes no new requests from now on. Requests in flight go on. */
  drain(): void {
    if (this.#state !== "active") return;
    this.#state = "draining";
    this.#left.abort();
    this.#settle();
  }

  /**
   * Ends the requests that may never end by themselves, also those that call `onTimeUp` later. All others go on.
   *
   * @returns how many requests it has ended
   */
  endEndless(): number {
    this.#leases.isEndlessOver = true;
    const listeners = [...this.#leases.endless];
    for (const listener of listeners) listener();
    return listeners.length;
  }

  /**
   * Takes no new requests, and calls the listener of each open lease with the reason. A repeated reason is ignored.
   * A second reason counts: a run may end after its drain was cut.
   */
  close(reason: CloseReason): void {
    if (this.#leases.closedBy === reason) return;
    this.#leases.closedBy = reason;
    this.#state = "closed";
    this.#left.abort();
    for (const listener of this.#leases.closeListeners) listener(reason);
    this.#settle();
  }

  #settle(): void {
    if (this.#state !== "active" && this.#leases.count === 0) this.#idle.resolve();
  }
}

/** Says whether two backends share the requests of the models that both have. */
export function doShare(one: Backend, other: Backend): boolean {
  return one.shares !== undefined && one.shares === other.shares;
}

/** Says whether a backend belongs to a group of replicas, even if it is alone in it. */
export function isReplica({ shares }: Backend): boolean {
  return shares !== undefined;
}
