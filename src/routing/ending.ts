/**
 * What is known of the end of one run: whether it was told to stop, and how it ended. All backends of a run
 * share it. Pure but for its timers: it knows what it is told.
 */
import type { RunEnd } from "./run.ts";

/** One wait in progress, which those share who ask for the same moments later. */
type Wait = { readonly ms: number; readonly beganMs: number; readonly over: Promise<void> };

/** A wait is shared for this part of its time: so there are six timers at most, however many wait. */
const SHARED_PART = 1 / 6;

/** The end of a run is known up to 150 ms after its connections broke: this leaves time for a slow machine. */
const BROKE_OFF_MS = 2_000;

export class Ending {
  #isStopping = false;
  #wasToldToStop = false;
  #end: RunEnd | undefined;
  #latest: Wait | undefined;
  /** Of all that wait just now. A run may go on for months: nothing of a wait may stay when it is over. */
  readonly #wakes = new Set<() => void>();
  /** When a request on it failed last. */
  #brokeOffMs = Number.NEGATIVE_INFINITY;

  /** The run was told to stop, and is about to. It may go on for a while. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** How it ended; undefined while it goes on, or while that is not known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  /** The run has been told to stop at some time. It may have lived on. */
  get wasToldToStop(): boolean {
    return this.#wasToldToStop;
  }

  toldToStop(): void {
    this.#isStopping = true;
    this.#wasToldToStop = true;
  }

  /** The run takes requests, also after it was told to stop: it has not done so. */
  goesOn(): void {
    this.#isStopping = false;
  }

  /** A request on it has failed, or its answer broke off. Its end may be the reason. */
  brokeOff(): void {
    this.#brokeOffMs = performance.now();
  }

  /** True if a request on it has failed a moment ago. */
  get hasJustBrokenOff(): boolean {
    return performance.now() - this.#brokeOffMs < BROKE_OFF_MS;
  }

  /** The run has ended. Only the first call counts that knows how. */
  ended(end: RunEnd): void {
    if (this.#isKnown) return;
    this.#end = end;
    if (!this.#isKnown) return; // a look at the container may tell more
    for (const wake of this.#wakes) wake();
  }

  /**
   * Waits until it is known how the run has ended. The connections of a run break before its engine tells why:
   * with Docker 23 and later 75 to 150 ms before.
   *
   * @param ms the longest wait; it may be a sixth shorter
   * @returns undefined if it is not known by then: it may go on
   */
  async known(ms: number): Promise<RunEnd | undefined> {
    if (this.#isKnown) return this.#end;
    const nowMs = performance.now();
    const latest = this.#latest;
    const isShared = latest?.ms === ms && nowMs - latest.beganMs < ms * SHARED_PART;
    const wait = isShared ? latest : { ms, beganMs: nowMs, over: this.#wait(ms) };
    this.#latest = wait;
    await wait.over;
    if (this.#latest === wait) this.#latest = undefined;
    return this.#end;
  }

  get #isKnown(): boolean {
    return this.#end !== undefined && this.#end.kind !== "unknown";
  }

  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakes.add(resolve);
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#wakes.delete(resolve);
  }
}
