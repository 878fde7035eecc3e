/** Checks whether this machine can run a swarm of several nodes, each in its own network namespace. */
import { installPackages } from "../debian-package.ts";

const PROGRAMS = ["dockerd", "docker", "ip", "iptables", "nsenter", "unshare"];
const PACKAGES = ["docker.io", "iproute2", "iptables", "util-linux"];

/**
 * Installs missing programs with TEST_ENGINE=install (as root, on Debian).
 *
 * @returns undefined if a swarm can run, otherwise the reason
 */
export async function whyNoSwarm(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can make network namespaces";
  if (missing().length > 0 && process.env["TEST_ENGINE"] === "install")
    await installPackages(PACKAGES);
  const absent = missing();
  if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
  return whyNoNetworks();
}

function missing(): readonly string[] {
  return PROGRAMS.filter((program) => Bun.which(program) === null);
}

/** Tries each kind of link that the nodes and their overlays need, in a temporary namespace. */
function whyNoNetworks(): string | undefined {
  const namespace = `lw-swarm-try-${process.pid}`;
  const made = ip("netns", "add", namespace);
  if (made !== undefined) return `cannot make a network namespace: ${made}`;
  try {
    for (const [kind, ...more] of [
      ["bridge"],
      ["veth", "peer", "name", "other"],
      ["vxlan", "id", "1", "dstport", "4789"],
    ] as const) {
      const args = ["-n", namespace, "link", "add", `${kind}0`, "type", kind, ...more];
      const failure = ip(...args);
      if (failure !== undefined) return `the kernel has no ${kind} links: ${failure}`;
    }
    return undefined;
  } finally {
    ip("netns", "delete", namespace);
  }
}

/** @returns the error message if it fails */
function ip(...args: readonly string[]): string | undefined {
  const { exitCode, stderr } = Bun.spawnSync(["ip", ...args]);
  return exitCode === 0 ? undefined : stderr.toString().trim();
}
