/** Waits for a condition with a bound: a hang fails as an assertion, never as a time-out of the runner. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  boundMs = 3_000,
): Promise<void> {
  const deadline = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Waited ${boundMs} ms in vain until ${what}`);
    await Bun.sleep(5);
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
