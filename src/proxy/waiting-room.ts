/**
 * Requests wait here for a model that is expected back, or for room on its servers: first in, first out for each model.
 * Does not choose servers and sends nothing: each waiter tries for itself when its turn comes.
 */
import { Turn } from "../ground/turn.ts";
import type { Log } from "../telemetry/log.ts";
import type { WaitOutcome } from "../telemetry/telemetry.ts";
import { WaitLog } from "./wait-log.ts";

export type WaitingRoomInit = {
  /** The longest wait, ms; 0: no request waits. */
  readonly timeoutMs: number;
  readonly log: Log;
  /** The most requests that may wait at once. */
  readonly waitersMax?: number;
};

/** The result of a waiter's try. */
export type Tried<T> =
  /** It got a server, in the same step. */
  | { readonly kind: "routed"; readonly value: T }
  | { readonly kind: "waits" }
  /** No server will come. */
  | { readonly kind: "gone" };

/** One request that waits. */
export type Waiter<T> = {
  /** The model's id: all requests that wait for one model have one order. */
  readonly model: string;
  /** Requests in one lane may go to the same servers: if the first can't go, the others can't either. */
  readonly lane: string;
  /** Aborted when its client leaves. */
  readonly signal: AbortSignal;
  /** How much longer it may wait, ms. */
  readonly patienceMs: number;
  /** Why it waits, for the log. */
  readonly reason: string;
  /** Its number in the order of arrival. It keeps its place, even if it comes back from a server. */
  readonly arrival: number;
  readonly waits: () => (outcome: WaitOutcome) => void;
  readonly attempt: () => Tried<T>;
};

/** How a wait ended. */
export type WaitEnd<T> = { readonly waitedMs: number } & (
  | { readonly kind: "routed"; readonly value: T }
  | { readonly kind: "timeout" | "gone" | "client_gone" }
  /** The proxy is being stopped. */
  | { readonly kind: "closed" }
);

type Waiting = {
  readonly arrival: number;
  readonly lane: string;
  /** @returns false if it must wait longer */
  readonly attempt: () => boolean;
  readonly end: (kind: "closed") => void;
};

/** All requests that wait for one model. */
type Queue = {
  /** In order of arrival. */
  readonly waiting: Waiting[];
  /** The number of requests in each lane. */
  readonly lanes: Map<string, number>;
};

const WAITERS_MAX = 10_000;

export class WaitingRoom {
  readonly timeoutMs: number;
  readonly #waitersMax: number;
  readonly #log: WaitLog;
  readonly #queues = new Map<string, Queue>();
  #size = 0;
  #isClosed = false;
  /** Something has changed since the last tries. */
  #isDue = false;
  #isTrying = false;

  constructor({ timeoutMs, log, waitersMax = WAITERS_MAX }: WaitingRoomInit) {
    this.timeoutMs = timeoutMs;
    this.#waitersMax = waitersMax;
    this.#log = new WaitLog(log);
  }

  /** Requests may wait. */
  get isOpen(): boolean {
    return this.timeoutMs > 0 && !this.#isClosed;
  }

  /** The proxy is being stopped. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.#size >= this.#waitersMax;
  }

  /** The number of waiting requests by model id. Models without waiting requests are left out. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#queues].map(([model, { waiting }]) => [model, waiting.length]));
  }

  /** Says whether a request must wait behind others, even if a server could take it. */
  isBehind(model: string, lane: string): boolean {
    const queue = this.#queues.get(model);
    return queue !== undefined && (this.#isDue || this.#isTrying || queue.lanes.has(lane));
  }

  /** Something has changed: all waiting requests try again after the present step. */
  wake(): void {
    if (this.#isDue || this.#size === 0) return;
    this.#isDue = true;
    if (!this.#isTrying) setImmediate(() => void this.#tryAll());
  }

  /** Ends all waits, because the proxy is being stopped. No request waits from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { waiting } of [...this.#queues.values()]) {
      for (const one of [...waiting]) one.end("closed");
    }
  }

  /**
   * Must be called only while the room is open and not full.
   *
   * @throws only on a bug of ours: the error of an attempt
   */
  wait<T>(waiter: Waiter<T>): Promise<WaitEnd<T>> {
    const { model, lane, signal, patienceMs } = waiter;
    const { promise, resolve, reject } = Promise.withResolvers<WaitEnd<T>>();
    const sinceMs = performance.now();
    const report = waiter.waits();
    const end = (kind: Exclude<WaitEnd<T>["kind"], "routed">): void =>
      leave(kind === "closed" ? "gone" : kind, (waitedMs) => resolve({ kind, waitedMs }));
    const leave = (outcome: WaitOutcome, then: (waitedMs: number) => void): void => {
      if (!this.#remove(model, waiting)) return;
      clearTimeout(timer);
      signal.removeEventListener("abort", onClientGone);
      const waitedMs = performance.now() - sinceMs;
      this.#log.left(model, waitedMs, this.#queues.has(model));
      report(outcome);
      then(waitedMs);
    };
    const onClientGone = (): void => end("client_gone");
    const timer = setTimeout(() => end("timeout"), patienceMs);
    const waiting: Waiting = {
      arrival: waiter.arrival,
      lane,
      attempt: () => {
        try {
          const tried = waiter.attempt();
          if (tried.kind === "waits") return false;
          if (tried.kind === "gone") end("gone");
          else leave("routed", (waitedMs) => resolve({ ...tried, waitedMs }));
        } catch (error) {
          leave("gone", () => reject(error)); // otherwise all others would wait forever
        }
        return true;
      },
      end,
    };
    this.#add(model, waiting);
    if (this.#isTrying) this.#isDue = true; // the tries of its queue may be over already
    this.#log.entered(model, waiter.reason);
    signal.addEventListener("abort", onClientGone);
    if (signal.aborted) onClientGone();
    return promise;
  }

  #add(model: string, one: Waiting): void {
    const queue = this.#queues.get(model) ?? { waiting: [], lanes: new Map() };
    this.#queues.set(model, queue);
    queue.waiting.splice(placeOf(queue.waiting, one.arrival), 0, one);
    queue.lanes.set(one.lane, (queue.lanes.get(one.lane) ?? 0) + 1);
    this.#size += 1;
  }

  /** @returns false if it no longer waits */
  #remove(model: string, one: Waiting): boolean {
    const queue = this.#queues.get(model);
    if (queue === undefined || !isIn(queue, one)) return false;
    const { waiting, lanes } = queue;
    waiting.splice(placeOf(waiting, one.arrival), 1);
    const left = (lanes.get(one.lane) ?? 0) - 1;
    if (left > 0) lanes.set(one.lane, left);
    else lanes.delete(one.lane);
    if (waiting.length === 0) this.#queues.delete(model);
    this.#size -= 1;
    return true;
  }

  /** Lets other work run in between: thousands of requests may get a server at once. */
  async #tryAll(): Promise<void> {
    this.#isTrying = true;
    const turn = new Turn();
    while (this.#isDue) {
      this.#isDue = false;
      for (const queue of [...this.#queues.values()]) await tryQueue(queue, turn);
    }
    this.#isTrying = false;
  }
}

/** Lets each request try that may succeed. Skips a lane if its first request can't go. */
async function tryQueue(queue: Queue, turn: Turn): Promise<void> {
  const { lanes } = queue;
  const blocked = new Set<string>();
  // Requests that leave meanwhile remove their lanes.
  const areAllBlocked = (): boolean =>
    blocked.size >= lanes.size && [...lanes.keys()].every((lane) => blocked.has(lane));
  for (const one of [...queue.waiting]) {
    if (areAllBlocked()) return;
    if (blocked.has(one.lane)) continue;
    if (turn.isOver) await turn.next();
    if (isIn(queue, one) && !one.attempt()) blocked.add(one.lane);
  }
}

/** The index of the first request that did not come before this arrival. No two requests have the same number. */
function placeOf(waiting: readonly Waiting[], arrival: number): number {
  let [from, to] = [0, waiting.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((waiting[middle]?.arrival ?? arrival) < arrival) from = middle + 1;
    else to = middle;
  }
  return from;
}

function isIn({ waiting }: Queue, one: Waiting): boolean {
  return waiting[placeOf(waiting, one.arrival)] === one;
}
