/**
 * What we know about the end of one run: whether it was told to stop, and how it ended. All backends of a run share
 * it. It does no I/O: callers report what they saw.
 */
import type { RunEnd } from "./run.ts";

/** One wait in progress. Callers that ask for the same wait moments later share it. */
type Wait = { readonly ms: number; readonly beganMs: number; readonly over: Promise<void> };

/** A wait is shared during this first part of its time. So there are at most six timers for any number of callers. */
const SHARED_PART = 1 / 6;

/** The engine reports the end of a run up to 150 ms after its connections break. A slow machine takes longer. */
const BROKE_OFF_MS = 2_000;

export class Ending {
  #isStopping = false;
  #wasToldToStop = false;
  #end: RunEnd | undefined;
  #latest: Wait | undefined;
  /** One for each wait in progress. A run may last for months, so a wait must leave nothing behind. */
  readonly #wakes = new Set<() => void>();
  /** When a request to the run last failed. */
  #brokeOffMs = Number.NEGATIVE_INFINITY;

  /** True if the run was told to stop and takes no requests since. It may go on for a while. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** How it ended. Undefined while it goes on, or while we do not know. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  /** True if the run was ever told to stop. It may have lived on. */
  get wasToldToStop(): boolean {
    return this.#wasToldToStop;
  }

  toldToStop(): void {
    this.#isStopping = true;
    this.#wasToldToStop = true;
  }

  /** Called when the run takes requests. If it was told to stop before, it did not stop. */
  goesOn(): void {
    this.#isStopping = false;
  }

  /** Called when a request to the run failed or its answer broke off. The end of the run may be the reason. */
  brokeOff(): void {
    this.#brokeOffMs = performance.now();
  }

  /** True if a request to the run failed a moment ago. */
  get hasJustBrokenOff(): boolean {
    return performance.now() - this.#brokeOffMs < BROKE_OFF_MS;
  }

  /** Called when the run has ended. Only the first call that knows how it ended counts. */
  ended(end: RunEnd): void {
    if (this.#isKnown) return;
    this.#end = end;
    if (!this.#isKnown) return; // the next inspection of the container may tell more
    for (const wake of this.#wakes) wake();
  }

  /**
   * Waits until we know how the run ended. The connections of a run break before its engine reports the end:
   * 75 to 150 ms before with Docker 23 and later.
   *
   * @param ms the longest wait; it may be a sixth shorter
   * @returns undefined if we do not know by then; the run may still go on
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
