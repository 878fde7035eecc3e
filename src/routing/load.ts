/**
 * How busy one run of a server is, over all its backends, and whether it may take one more request. Pure: it counts
 * what callers report, and knows no requests and no clock.
 */
import { type Decision, DecisionCounts } from "./decisions.ts";

/** This many bytes of unanswered prompts count as much as one request in flight. Issue 16. */
const UNIT_BYTES = 8 * 1024;

export class Load {
  #maxInFlight: number;
  #inFlight = 0;
  #unreadBytes = 0;
  #coolUntilMs = 0;
  #decisions: DecisionCounts | undefined;
  /** The number of the choice that last chose this run: see `choose.ts`. */
  chosen = 0;
  /** Called when a full run has room again. Must be quick. */
  onRoom: (() => void) | undefined;

  /** @param maxInFlight most requests at once; the default is no limit */
  constructor(maxInFlight = Number.POSITIVE_INFINITY) {
    this.#maxInFlight = maxInFlight;
  }

  /** Changes the limit, because the labels changed. Requests in flight go on. */
  limit(maxInFlight = Number.POSITIVE_INFINITY): void {
    const wasFull = this.isFull;
    this.#maxInFlight = maxInFlight;
    if (wasFull && !this.isFull) this.onRoom?.();
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes of the prompts that it has not begun to answer. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** The number that `choose.ts` compares: requests in flight, plus unanswered prompts in units of 8 KiB. */
  get value(): number {
    return this.#inFlight + this.#unreadBytes / UNIT_BYTES;
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#maxInFlight;
  }

  /** Counts one request in. Each call needs one call of `ended()`. */
  began(unreadBytes: number): void {
    this.#inFlight += 1;
    this.#unreadBytes += unreadBytes;
  }

  /** Called when the answer to a request has begun or will not come. Its prompt no longer counts as load. */
  wasRead(unreadBytes: number): void {
    this.#unreadBytes -= unreadBytes;
  }

  /** Counts one request out. */
  ended(): void {
    const wasFull = this.isFull;
    this.#inFlight -= 1;
    if (wasFull) this.onRoom?.();
  }

  /** @param untilMs until then the run gets no requests that another run can take; the last call counts */
  cool(untilMs: number): void {
    this.#coolUntilMs = untilMs;
  }

  isCooling(nowMs: number): boolean {
    return nowMs < this.#coolUntilMs;
  }

  decided(decision: Decision, nowMs: number): void {
    this.#decisions ??= new DecisionCounts();
    this.#decisions.count(decision, nowMs);
  }

  /** How many requests for models with replicas it got in the last minute, by decision. */
  lastMinute(nowMs: number): Readonly<Record<Decision, number>> {
    return (this.#decisions ?? NONE).lastMinute(nowMs);
  }
}

const NONE = new DecisionCounts();
