/** What this process takes in memory, for tests that share it with a thousand others. */

/** Bytes. Garbage does not count: when it is collected says nothing about the code under test. */
export function residentWithoutGarbage(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}
