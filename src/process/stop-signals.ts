/** SIGTERM and SIGINT: users and engines send them to stop the process. compose.ts does the stopping. */

/**
 * Listens for both signals from now on. A second signal ends the process at once, with exit code 1.
 *
 * @returns a promise that resolves with the name of the first signal
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
