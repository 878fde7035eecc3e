/**
 * Looks up the host's address as a container sees it, by the names that engines give the host.
 * Docker Desktop resolves the first name by itself. Docker on Linux resolves it if the user has
 * added it (`extra_hosts: host.docker.internal:host-gateway`). Podman uses the second name. This
 * file does not know whether we run in a container.
 */

const NAMES = ["host.docker.internal", "host.containers.internal"] as const;

/**
 * Looks up each name until one resolves. Without a working DNS server this takes 10 s, so no caller
 * may wait for it.
 *
 * @returns undefined if no name resolves
 */
export async function lookUpHost(names: readonly string[] = NAMES): Promise<string | undefined> {
  const { lookup } = await import("node:dns/promises");
  for (const name of names) {
    const found = await lookup(name, { family: 0 }).catch(() => undefined);
    if (found !== undefined) return found.address;
  }
  return undefined;
}
