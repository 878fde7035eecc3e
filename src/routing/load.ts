/**
 * How busy one run of a server is, whichever of its backends has the requests, and whether it may take one
 * more. Pure: it counts what it is told, and knows neither requests nor clocks.
 */
import { type Decision, DecisionCounts } from "./decisions.ts";

/** How many bytes of unanswered prompts weigh as much as one request in flight. Issue 16. */
const UNIT_BYTES = 8 * 1024;

export class Load {
  #maxInFlight: number;
  #inFlight = 0;
  #unreadBytes = 0;
  #coolUntilMs = 0;
  #decisions: DecisionCounts | undefined;
  /** A number that is the higher the later the run was chosen: see `choose.ts`. */
  chosen = 0;
  /** Called when the run was full and has room again; must be quick. */
  onRoom: (() => void) | undefined;

  /** @param maxInFlight most requests at once; no limit if it is not given */
  constructor(maxInFlight = Number.POSITIVE_INFINITY) {
    this.#maxInFlight = maxInFlight;
  }

  /** Other labels allow more requests at once, or fewer. Those in flight go on. */
  limit(maxInFlight = Number.POSITIVE_INFINITY): void {
    const wasFull = this.isFull;
    this.#maxInFlight = maxInFlight;
    if (wasFull && !this.isFull) this.onRoom?.();
  }

  /** Requests that the run is working on. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes of prompts that it has been sent and has not begun to answer. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** What choosing compares: requests in flight, and the prompts that are not answered yet in units of 8 KiB. */
  get value(): number {
    return this.#inFlight + this.#unreadBytes / UNIT_BYTES;
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#maxInFlight;
  }

  /** Counts one request in. Each of these calls needs one of `ended()`. */
  began(unreadBytes: number): void {
    this.#inFlight += 1;
    this.#unreadBytes += unreadBytes;
  }

  /** The answer of a request has begun, or will not come: its prompt is read. */
  wasRead(unreadBytes: number): void {
    this.#unreadBytes -= unreadBytes;
  }

  /** Counts one request out. */
  ended(): void {
    const wasFull = this.isFull;
    this.#inFlight -= 1;
    if (wasFull) this.onRoom?.();
  }

  /** @param untilMs until when the run is left alone as long as another one can take a request. The last call counts */
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

  /** How many requests of models with replicas it got in the last minute, by why it got them. */
  lastMinute(nowMs: number): Readonly<Record<Decision, number>> {
    return (this.#decisions ?? NONE).lastMinute(nowMs);
  }
}

const NONE = new DecisionCounts();
