/** The memory of this process, for tests that share the process with a thousand others. */

/** Bytes, without garbage: the moment of its collection says nothing about the code under test. */
export function residentWithoutGarbage(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}
