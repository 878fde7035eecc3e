/** The pace of the controller: one look at a time, and any number of wakes during it make one more. */

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
