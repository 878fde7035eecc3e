/**
 * Finds the id of the container that this process runs in, in the kernel's files. It does not ask the
 * engine.
 */

/** @returns the id of our container, if the kernel shows it; undefined on a host */
export async function readOwnContainerId(
  path = "/proc/self/mountinfo",
): Promise<string | undefined> {
  try {
    return ownContainerId(await Bun.file(path).text());
  } catch {
    return undefined; // not Linux, or without /proc: we do not run in a container of the engine
  }
}

/**
 * Finds the id in the text of /proc/self/mountinfo: Docker mounts /etc/hostname from a directory that
 * has the id as its name. The host name itself is not the id with `--hostname` and on the host's
 * network. With `--network container:x` this finds the id of x, whose networks we use.
 */
export function ownContainerId(mountinfo: string): string | undefined {
  return /\/(?:overlay-)?containers\/([\da-f]{64})\/(?:userdata\/)?hostname /.exec(mountinfo)?.[1];
}
