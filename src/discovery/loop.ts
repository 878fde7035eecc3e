/** The pace of the controller: how calls that come too often are folded into fewer runs. */

/**
 * Folds calls of `task`. A call while it runs makes one more run after it, however many calls come.
 *
 * @param task must not throw
 * @returns a function whose promise resolves when a run that began after the call has ended
 */
export function coalesce(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    next = undefined;
    running = task().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(start);
    return next;
  };
}

/**
 * Folds calls of `task`. A call within `intervalMs` after a run began gets that run, under way or
 * over; a run that takes longer than that holds up nobody: the next may begin beside it.
 *
 * @param task must not throw
 * @returns a function whose promise resolves when the run that the call was folded into has ended
 */
export function atMostEvery(intervalMs: number, task: () => Promise<void>): () => Promise<void> {
  let beganMs = Number.NEGATIVE_INFINITY;
  let latest: Promise<void> = Promise.resolve();
  return () => {
    const nowMs = performance.now();
    if (nowMs - beganMs >= intervalMs) {
      beganMs = nowMs;
      latest = task();
    }
    return latest;
  };
}

/**
 * Folds calls of `task`. The first run begins at once, each other `intervalMs` after the one before
 * began at the earliest; calls until then share it. The last call is never lost.
 *
 * @param task must not throw
 * @returns a function whose promise resolves when a run that began after the call has ended
 */
export function spaced(intervalMs: number, task: () => Promise<void>): () => Promise<void> {
  let dueMs = Number.NEGATIVE_INFINITY;
  let waiting: Promise<void> | undefined;
  const run = (): Promise<void> => {
    waiting = undefined;
    dueMs = performance.now() + intervalMs;
    return task();
  };
  return () => {
    const waitMs = dueMs - performance.now();
    if (waiting === undefined && waitMs <= 0) return run();
    waiting ??= Bun.sleep(waitMs).then(run);
    return waiting;
  };
}

/** Spaces turns out: the first comes at once, each other `intervalMs` after the one before or later. */
export class Pace {
  readonly #intervalMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Takes a turn; for one caller at a time. */
  async turn(): Promise<void> {
    await this.due();
    this.#nextMs = performance.now() + this.#intervalMs;
  }

  /** Resolves when a turn may be taken, and takes none. */
  async due(): Promise<void> {
    const waitMs = this.#nextMs - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
  }
}

/** Resolves when the time is over, or the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const end = (): void => over.resolve();
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  await over.promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}

/** The longest that a timer of the runtime can wait, 24.8 days; a longer one fires at once. */
const TIMER_MS_MAX = 2_147_483_647;

/** Calls later, for several reasons: each has one time, and a new one takes the place of the old. */
export class Alarms<Reason extends string> {
  readonly #call: () => void;
  readonly #timers = new Map<Reason, Timer>();

  constructor(call: () => void) {
    this.#call = call;
  }

  set(reason: Reason, delayMs: number): void {
    clearTimeout(this.#timers.get(reason));
    this.#timers.set(reason, setTimeout(this.#call, Math.min(delayMs, TIMER_MS_MAX)));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
