/**
 * The engine's clock, as we know it from the engine's answers and events. The engine uses this
 * clock for the times of events and of container starts. It may be days away from our clock. So
 * code that compares such times must use the engine's clock. Pure, except that it reads our own
 * clock.
 */

/** A `Date` header gives whole seconds only (RFC 9110 §5.6.7). */
const SECOND_MS = 1_000;
/** Our own clock gives whole milliseconds only. */
const OWN_STEP_MS = 1;

export class EngineClock {
  readonly #now: () => number;
  /** The engine's time minus our time. It is 0 until an answer or an event shows that it can't be 0. */
  #offsetMs = 0;
  /** The largest offset that the last `Date` allows. */
  #mostMs = Number.POSITIVE_INFINITY;

  /** @param now reads our own clock, ms since the epoch */
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
   * Corrects the offset after an answer of the engine. The answer's `Date` gives a least and a most
   * value for the offset.
   *
   * We keep an offset that lies between the two, so it stays 0 if the engine is on this machine. We
   * set any other offset to the least value: then a time limit ends up to a second late, and never
   * early. The offset can go up and down, because someone may have set either clock in the meantime.
   *
   * @param date the `Date` header of the answer
   * @param sentMs our own time just before we sent the request
   */
  answered(date: string | null, sentMs: number): void {
    const dateMs = Date.parse(date ?? "");
    if (Number.isNaN(dateMs)) return;
    const leastMs = dateMs - this.#now() - OWN_STEP_MS;
    const mostMs = dateMs + SECOND_MS - sentMs;
    // The bounds contradict each other if our own clock was set while the engine answered.
    if (mostMs < leastMs) return;
    this.#mostMs = mostMs;
    if (this.#offsetMs < leastMs || this.#offsetMs > mostMs) this.#offsetMs = leastMs;
  }

  /**
   * Corrects the offset after an event: the engine's clock has reached the time of that event. If
   * the last `Date` contradicts this, `Date` wins.
   *
   * @param timeMs the engine's time of the event, ms since the epoch
   */
  hasPassed(timeMs: number): void {
    const leastMs = Math.min(timeMs - this.#now() - OWN_STEP_MS, this.#mostMs);
    this.#offsetMs = Math.max(this.#offsetMs, leastMs);
  }
}
