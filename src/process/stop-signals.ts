/** SIGTERM and SIGINT, by which people and engines ask the process to stop. Stopping is compose.ts's. */

/**
 * Listens for both signals from now on. A second one ends the process at once, with exit code 1.
 *
 * @returns resolves with the name of the first signal
 */
export function firstStopSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      resolve(signal);
    });
  }
  return promise;
}
