/** Calls that come too often, folded into fewer runs. Knows nothing of what is run. */

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
