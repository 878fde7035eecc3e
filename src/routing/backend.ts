/**
 * One run of a server that requests can be sent to, and the leases that count them. Does no I/O: it knows
 * where the server is, not how to talk to it.
 */
import { Ending } from "./ending.ts";
import { Load } from "./load.ts";
import type { Rank, Run } from "./run.ts";

/** One entry of a server's `GET /v1/models`. */
export type Model = {
  readonly id: string;
  /** The whole entry, a JSON object, as the server wrote it. */
  readonly json: string;
  /** Other names by which the server takes requests for it, as the entry lists them. */
  readonly aliases?: readonly string[];
  /** Id of the model that this one is an adapter of, as the entry names it. */
  readonly parent?: string;
};

/** Only ever moves to the right: active → draining → closed. Coming back means a new Backend. */
export type BackendState = "active" | "draining" | "closed";

export type BackendInit = {
  readonly run: Run;
  /** The server's name, as people know it. */
  readonly name: string;
  /** `http://host:port` without a path. */
  readonly origin: string;
  /** Prefix of the server's API: `""` or `/v1`, never with a slash at its end. */
  readonly basePath: string;
  readonly rank: Rank;
  readonly models: readonly Model[];
  /** The group with which it shares the requests of its models; undefined: with nobody. */
  readonly shares?: string | undefined;
  /** How busy its run is: that of all backends of one run. A new one if it is not given. */
  readonly load?: Load;
  /** What is known of the end of its run: shared like the load. */
  readonly ending?: Ending;
  /** Its machine may go away without a word: then its address swallows what is sent there. */
  readonly mayVanish?: boolean | undefined;
  /** See `Backend.reportUnreachable`. */
  readonly onUnreachable?: (how: Unreachable) => void;
};

/**
 * The reason why a backend closed.
 * - `run-over`: the server is gone. Requests in flight end with their connections.
 * - `cut`: the time to drain is up. Requests in flight must end now.
 */
export type CloseReason = "run-over" | "cut";

/**
 * How a backend could not be reached.
 * - `not connected`: the kernel knows no way to its address, or has given up.
 * - `unreachable`: no connection could be made in time.
 */
export type Unreachable = "connection refused" | "not connected" | "unreachable";

/** What a backend knows of its leases that are open. */
type Leases = {
  count: number;
  closedBy: CloseReason | undefined;
  readonly closeListeners: Set<(reason: CloseReason) => void>;
  /** Of the requests that may never end by themselves. */
  readonly endless: Set<() => void>;
  isEndlessOver: boolean;
  /** Called when one has ended. */
  readonly ended: () => void;
};

/** One request counted in on a backend. A class, and no closures: thousands may be open. */
export class Lease {
  readonly backend: Backend;
  /** What `acquire` was told. */
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
   * The request may never end by itself, as a WebSocket: calls the listener when it has to, though its backend goes
   * on. At most one listener.
   */
  onTimeUp(listener: () => void): void {
    if (!this.#isOpen) return;
    this.#timeListener = listener;
    this.#leases.endless.add(listener);
    if (this.#leases.isEndlessOver) listener();
  }

  /** The first byte of the answer's body has come: the server has read the prompt. Only the first call counts. */
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

  /** Aborted as soon as the backend takes no new request: when it begins to drain, or closes. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** Resolves when the backend takes no new request and the last lease has ended. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  /**
   * Counts one request in, or refuses: it takes no new request, or is full.
   * Invariant: state check and count happen in one synchronous step, so no request
   * can slip in after `drain()` has looked at the count.
   *
   * @param unreadBytes of the prompt, that count as load until the answer begins
   */
  acquire(unreadBytes = 0): Lease | undefined {
    if (this.#state !== "active" || this.load.isFull) return undefined;
    return new Lease(this, this.#leases, unreadBytes);
  }

  /** Called when no connection to its address could be made. The fleet judges what that means. */
  reportUnreachable(how: Unreachable): void {
    this.#onUnreachable?.(how);
  }

  replaceModels(models: readonly Model[]): void {
    this.#models = models;
  }

  /** Takes no new request from now on. Those in flight go on. */
  drain(): void {
    if (this.#state !== "active") return;
    this.#state = "draining";
    this.#left.abort();
    this.#settle();
  }

  /**
   * Ends the requests that may never end by themselves, and any that turns out later to be one. All others go on.
   *
   * @returns how many were ended
   */
  endEndless(): number {
    this.#leases.isEndlessOver = true;
    const listeners = [...this.#leases.endless];
    for (const listener of listeners) listener();
    return listeners.length;
  }

  /**
   * Takes no new request, and tells each open lease the reason. Each reason is told once: a run may end
   * after its drain was cut.
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

/** Says whether it shares the requests of its models, even if it is the only one just now. */
export function isReplica({ shares }: Backend): boolean {
  return shares !== undefined;
}
