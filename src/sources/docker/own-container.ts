/** Whether this process runs in a container, and in which. */

/** @returns the id of the container we run in, as far as the kernel tells; undefined on a host */
export async function readOwnContainerId(
  path = "/proc/self/mountinfo",
): Promise<string | undefined> {
  try {
    return ownContainerId(await Bun.file(path).text());
  } catch {
    return undefined; // no Linux, or no /proc: not in a container of the engine's
  }
}

/**
 * Docker mounts /etc/hostname from a directory named by the id; the host name itself is wrong under
 * `--hostname` and on the host's network. With `--network container:x` this is x, whose networks
 * are ours.
 */
export function ownContainerId(mountinfo: string): string | undefined {
  return /\/(?:overlay-)?containers\/([\da-f]{64})\/(?:userdata\/)?hostname /.exec(mountinfo)?.[1];
}
