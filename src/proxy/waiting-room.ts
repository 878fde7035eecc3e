/**
 * Where requests wait for a model that is expected back, or for room: first in, first out for each model. Decides
 * nothing about where a request goes, and sends nothing: each waiter tries for itself when its turn has come.
 */
import { Turn } from "../ground/turn.ts";
import type { Log } from "../telemetry/log.ts";
import type { WaitOutcome } from "../telemetry/telemetry.ts";
import { WaitLog } from "./wait-log.ts";

export type WaitingRoomInit = {
  /** The longest wait, ms; 0: nobody waits. */
  readonly timeoutMs: number;
  readonly log: Log;
  /** Most requests that wait at once. */
  readonly waitersMax?: number;
};

/** What a waiter's try has come to. */
export type Tried<T> =
  /** It has got a server, in the same step. */
  | { readonly kind: "routed"; readonly value: T }
  | { readonly kind: "waits" }
  /** Nobody will come. */
  | { readonly kind: "gone" };

/** One request that waits. */
export type Waiter<T> = {
  /** Id of its model: all that wait for one model have one order. */
  readonly model: string;
  /** Where it may go. Those in one lane may go to the same servers: if the first can't, none can. */
  readonly lane: string;
  /** Aborted when its client leaves. */
  readonly signal: AbortSignal;
  /** How much longer it may wait, ms. */
  readonly patienceMs: number;
  /** Why it waits, in words for the log. */
  readonly reason: string;
  /** When it came, as a number that grows: it keeps its place in the order, also if it comes back from a server. */
  readonly arrival: number;
  readonly waits: () => (outcome: WaitOutcome) => void;
  readonly attempt: () => Tried<T>;
};

/** How a wait has ended. */
export type WaitEnd<T> = { readonly waitedMs: number } & (
  | { readonly kind: "routed"; readonly value: T }
  | { readonly kind: "timeout" | "gone" | "client_gone" }
  /** The proxy is being stopped. */
  | { readonly kind: "closed" }
);

type Waiting = {
  readonly arrival: number;
  readonly lane: string;
  /** @returns false if it goes on waiting */
  readonly attempt: () => boolean;
  readonly end: (kind: "closed") => void;
};

/** All that wait for one model. */
type Queue = {
  /** In the order in which they came. */
  readonly waiting: Waiting[];
  /** How many are in each lane. */
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
  /** Something has changed since those that wait have tried last. */
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

  /** How many requests wait for each model that some wait for, by its id. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#queues].map(([model, { waiting }]) => [model, waiting.length]));
  }

  /** Says whether a request must wait behind others, whether or not a server could take it. */
  isBehind(model: string, lane: string): boolean {
    const queue = this.#queues.get(model);
    return queue !== undefined && (this.#isDue || this.#isTrying || queue.lanes.has(lane));
  }

  /** Something has changed: those that wait try again, after the step that is under way. */
  wake(): void {
    if (this.#isDue || this.#size === 0) return;
    this.#isDue = true;
    if (!this.#isTrying) setImmediate(() => void this.#tryAll());
  }

  /** Tells all that wait that the proxy is being stopped. Nobody waits from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { waiting } of [...this.#queues.values()]) {
      for (const one of [...waiting]) one.end("closed");
    }
  }

  /**
   * Must be called only while the room is open and not full.
   *
   * @throws what an attempt throws: a bug
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
          leave("gone", () => reject(error)); // or all others would wait for ever
        }
        return true;
      },
      end,
    };
    this.#add(model, waiting);
    if (this.#isTrying) this.#isDue = true; // its queue may have been gone through already
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

  /** @returns false if it does not wait any more */
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

  /** Takes turns with everybody else: thousands may get their servers at once. */
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

/** Lets all try that may succeed. A lane whose first can't go is left alone. */
async function tryQueue(queue: Queue, turn: Turn): Promise<void> {
  const { lanes } = queue;
  const blocked = new Set<string>();
  // Those that leave while others have their turn take their lanes with them.
  const areAllBlocked = (): boolean =>
    blocked.size >= lanes.size && [...lanes.keys()].every((lane) => blocked.has(lane));
  for (const one of [...queue.waiting]) {
    if (areAllBlocked()) return;
    if (blocked.has(one.lane)) continue;
    if (turn.isOver) await turn.next();
    if (isIn(queue, one) && !one.attempt()) blocked.add(one.lane);
  }
}

/** The index of the first that did not come before this arrival. No two have the same. */
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
