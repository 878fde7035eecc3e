/** The memory of this process, for tests that share the process with a thousand others. */

/** Bytes, without garbage: the time of its collection depends on other code than the code under test. */
export function residentWithoutGarbage(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}
