/**
 * Finds the id of the container that this process runs in, from what the kernel shows. It does not
 * ask the engine.
 */

/** @returns the id of our container, as far as the kernel tells it; undefined on a host */
export async function readOwnContainerId(
  path = "/proc/self/mountinfo",
): Promise<string | undefined> {
  try {
    return ownContainerId(await Bun.file(path).text());
  } catch {
    return undefined; // no Linux, or no /proc: we run in no container of the engine
  }
}

/**
 * Finds the id in the text of /proc/self/mountinfo: Docker mounts /etc/hostname from a directory
 * that has the id as its name. The host name itself is wrong with `--hostname` and on the host's
 * network. With `--network container:x` this finds the id of x, whose networks are ours.
 */
export function ownContainerId(mountinfo: string): string | undefined {
  return /\/(?:overlay-)?containers\/([\da-f]{64})\/(?:userdata\/)?hostname /.exec(mountinfo)?.[1];
}
