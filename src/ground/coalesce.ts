/** Merges many calls of a task into fewer runs. The three ways differ in when the next run may begin. */

/**
 * Runs never overlap: all calls during a run share one run after it.
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
 * A call within `intervalMs` after the start of a run starts no new run. It shares that run, which may
 * already be over. A run that takes longer than `intervalMs` does not delay the next run: both then overlap.
 *
 * @param task must not throw
 * @returns a function whose promise resolves when the shared run has ended
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
 * The first run begins at once, each later run at least `intervalMs` after the start of the previous one. All
 * calls before that start share it. So a run always follows the last call.
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
