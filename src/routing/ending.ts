/**
 * What is known of the end of one run: whether it was told to stop, and how it ended. All backends of a run
 * share it. Pure but for one timer: it knows what it is told.
 */
import type { RunEnd } from "./run.ts";

/** The end of a run is known up to 150 ms after its connections broke: this leaves time for a slow machine. */
const BROKE_OFF_MS = 2_000;

export class Ending {
  #isStopping = false;
  #end: RunEnd | undefined;
  /** When a request on it failed last. */
  #brokeOffMs = Number.NEGATIVE_INFINITY;
  readonly #known = Promise.withResolvers<void>();

  /** The run was told to stop. It may go on for a while. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** How it ended; undefined while it goes on, or while that is not known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  toldToStop(): void {
    this.#isStopping = true;
  }

  /** A request on it has failed, or its answer broke off. Its end may be the reason. */
  brokeOff(): void {
    this.#brokeOffMs = performance.now();
  }

  /** True if a request on it has failed a moment ago. */
  get hasJustBrokenOff(): boolean {
    return performance.now() - this.#brokeOffMs < BROKE_OFF_MS;
  }

  /** The run has ended. Only the first call counts. */
  ended(end: RunEnd): void {
    this.#end ??= end;
    this.#known.resolve();
  }

  /**
   * Waits until it is known how the run has ended. The connections of a run break before its engine tells why:
   * with Docker 23 and later 75 to 150 ms before.
   *
   * @param ms the longest wait
   * @returns undefined if it is not known by then: it may go on
   */
  async known(ms: number): Promise<RunEnd | undefined> {
    if (this.#end !== undefined) return this.#end;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, ms);
    await Promise.race([this.#known.promise, late.promise]);
    clearTimeout(timer);
    return this.#end;
  }
}
