/**
 * The host's address as a container knows it. Docker Desktop resolves the name by itself, Docker on
 * Linux where it was added (`extra_hosts: host.docker.internal:host-gateway`), Podman by its own name.
 */

const NAMES = ["host.docker.internal", "host.containers.internal"] as const;

/**
 * Without a working DNS this takes 10 s: whoever calls must not wait for it.
 *
 * @returns undefined if neither name resolves
 */
export async function lookUpHost(names: readonly string[] = NAMES): Promise<string | undefined> {
  const { lookup } = await import("node:dns/promises");
  for (const name of names) {
    const found = await lookup(name, { family: 0 }).catch(() => undefined);
    if (found !== undefined) return found.address;
  }
  return undefined;
}
