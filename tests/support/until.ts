/**
 * How a test waits: for a condition, for a promise, or to see that something does not happen. Each wait
 * has a bound, so a hang fails as an assertion that says what was awaited, never as a time-out of the
 * test runner. It holds no wait for a mere time: that is too short on a slow machine, and too long on any other.
 */

/** From one look at a condition to the next, ms. */
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

/** The promise's value, or a failure that names what did not come in time. */
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
 * Shows that something does not happen: looks again and again for as long as it is told, and fails as
 * soon as it does. Where something else must come first (an event, a look), await that before.
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
      throw new Error(`It must not happen, and did after ${Math.round(elapsedMs)} ms: ${what}`);
    }
    if (elapsedMs >= forMs) return;
    await Bun.sleep(Math.min(LOOK_MS, forMs - elapsedMs));
  }
}
