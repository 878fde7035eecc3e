/**
 * What is known of the end of one run: whether it was told to stop, and how it ended. All backends of a run
 * share it. Pure but for one timer: it knows what it is told.
 */
import type { RunEnd } from "./run.ts";

export class Ending {
  #isStopping = false;
  #end: RunEnd | undefined;
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
