/** Why a replica got a request, and how many requests it got in the last minute. Pure: the time is an argument. */

/**
 * - `prefix`: it has had the beginning of the prompt before.
 * - `load`: it was the least busy.
 * - `only`: no other replica could take the request.
 * - `failover`: another replica has failed the request.
 */
const DECISIONS = ["prefix", "load", "only", "failover"] as const;

export type Decision = (typeof DECISIONS)[number];

const SLOTS = 60;
const SLOT_MS = 1_000;

/** Counts in slots of one second. Slots are reused after a minute, so the size is fixed. */
export class DecisionCounts {
  readonly #counts = new Uint32Array(SLOTS * DECISIONS.length);
  /** The second that each slot counts. */
  readonly #seconds = new Float64Array(SLOTS).fill(Number.NEGATIVE_INFINITY);

  /** @param nowMs from a clock that never goes back */
  count(decision: Decision, nowMs: number): void {
    const second = Math.floor(nowMs / SLOT_MS);
    const slot = second % SLOTS;
    const first = slot * DECISIONS.length;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#counts.fill(0, first, first + DECISIONS.length);
    }
    const index = first + DECISIONS.indexOf(decision);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  lastMinute(nowMs: number): Readonly<Record<Decision, number>> {
    const oldest = Math.floor(nowMs / SLOT_MS) - SLOTS;
    const sums = { prefix: 0, load: 0, only: 0, failover: 0 };
    for (const [slot, second] of this.#seconds.entries()) {
      if (second <= oldest) continue;
      for (const [index, decision] of DECISIONS.entries()) {
        sums[decision] += this.#counts[slot * DECISIONS.length + index] ?? 0;
      }
    }
    return sums;
  }
}
