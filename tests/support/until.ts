/**
 * The ways in which a test waits: for a condition, for a promise, or to see that something does not happen.
 * Each wait has a limit. So a hang fails with a message that says what the test waited for, not with a
 * time-out of the test runner. There is no wait for a fixed time: it is too short on a slow machine, and too
 * long on any other.
 */

/** The time between two checks of a condition, in ms. */
const LOOK_MS = 5;

/** Waits until the condition holds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  boundMs = 3_000,
): Promise<void> {
  const deadline = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Waited ${boundMs} ms in vain until ${what}`);
    await Bun.sleep(LOOK_MS);
  }
}

/** Resolves with the promise's value. Fails with the name of what did not come in time. */
export async function within<T>(what: string, promise: Promise<T>, boundMs = 3_000): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Waited ${boundMs} ms in vain for ${what}`)),
    boundMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Checks that something does not happen: it checks again and again for the given time, and fails as soon as
 * it happens. If something else must come first (an event, a poll), await that before.
 *
 * @param forMs longer than it would take to happen if the code were wrong
 */
export async function expectNever(
  what: string,
  happens: () => boolean | Promise<boolean>,
  forMs: number,
): Promise<void> {
  const startMs = performance.now();
  for (;;) {
    const elapsedMs = performance.now() - startMs;
    if (await happens()) {
      throw new Error(`Must not happen, but did after ${Math.round(elapsedMs)} ms: ${what}`);
    }
    if (elapsedMs >= forMs) return;
    await Bun.sleep(Math.min(LOOK_MS, forMs - elapsedMs));
  }
}
