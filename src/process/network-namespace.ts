/** Which network namespace this process is in: two of them may use one port each, and share all files. */

/** @returns its number, as in `readlink /proc/self/ns/net`; undefined if the system does not tell */
export async function readNetworkNamespace(
  path = "/proc/self/ns/net",
): Promise<number | undefined> {
  try {
    const { ino } = await Bun.file(path).stat();
    return ino;
  } catch {
    return undefined; // no Linux, or /proc is closed
  }
}
