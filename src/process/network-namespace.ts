/**
 * The network namespace of this process. Processes in two namespaces can use the same port and share all
 * files.
 */

/** @returns the number, as in `readlink /proc/self/ns/net`; undefined if the system does not report it */
export async function readNetworkNamespace(
  path = "/proc/self/ns/net",
): Promise<number | undefined> {
  try {
    const { ino } = await Bun.file(path).stat();
    return ino;
  } catch {
    return undefined; // not Linux, or /proc is not readable
  }
}
