/**
 * The engine's clock. Its events and the starts of its containers are timed by it, so whatever is
 * judged by those times is judged in it; ours may be days away from it. Pure but for our own clock.
 */

/** A `Date` header tells whole seconds (RFC 9110 §5.6.7). */
const SECOND_MS = 1_000;
/** Our own clock tells whole milliseconds. */
const OWN_STEP_MS = 1;

export class EngineClock {
  readonly #now: () => number;
  /** The engine's time less ours; 0 for as long as nothing says otherwise. */
  #offsetMs = 0;
  /** The most that it may be, as the last `Date` has it. */
  #mostMs = Number.POSITIVE_INFINITY;

  /** @param now our own clock, ms since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The engine's time, ms since the epoch. */
  nowMs(): number {
    return this.#now() + this.#offsetMs;
  }

  /** Our own time, ms since the epoch. */
  ownMs(): number {
    return this.#now();
  }

  /**
   * The engine has just answered. Its `Date` bounds the offset on both sides; one that lies within is
   * kept, so that on one machine it stays 0. Any other is set to the least that may be: what lapses
   * lapses up to a second late, never early. Either clock may have been set since: the offset follows.
   *
   * @param date header of the answer
   * @param sentMs our own time before it was asked
   */
  answered(date: string | null, sentMs: number): void {
    const dateMs = Date.parse(date ?? "");
    if (Number.isNaN(dateMs)) return;
    const leastMs = dateMs - this.#now() - OWN_STEP_MS;
    const mostMs = dateMs + SECOND_MS - sentMs;
    if (mostMs < leastMs) return; // our own clock was set while the engine answered
    this.#mostMs = mostMs;
    if (this.#offsetMs < leastMs || this.#offsetMs > mostMs) this.#offsetMs = leastMs;
  }

  /** Something has happened at this time of the engine's. Where its `Date` says that it can't have, that counts. */
  hasPassed(timeMs: number): void {
    const leastMs = Math.min(timeMs - this.#now() - OWN_STEP_MS, this.#mostMs);
    this.#offsetMs = Math.max(this.#offsetMs, leastMs);
  }
}
