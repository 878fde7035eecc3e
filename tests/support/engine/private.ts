/**
 * A real Docker engine for one test, which may stop it, kill it and start it again. It shares nothing with
 * other engines of the host. It has its own bridge and sets no firewall rules, so only this host reaches its
 * containers. (`--bridge=none` does not work: it makes dockerd delete the host's docker0.)
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Docker, dockerCliAt } from "../server/inference-server/image.ts";
import { until } from "../until.ts";
import { type Dockerd, removeWithMounts, startDockerd } from "./dockerd.ts";

export type PrivateEngineOptions = {
  /** Whether containers keep running while no daemon runs. */
  readonly liveRestore: boolean;
};

/** @returns undefined if such an engine can start here, otherwise the reason */
export function whyNoPrivateEngine(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can start a private Docker engine";
  const missing = ["dockerd", "docker", "ip"].filter((program) => Bun.which(program) === null);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

export class PrivateEngine implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "lw-private-engine-"));
  readonly #bridge = `lw-${process.pid}`;
  #daemon: Dockerd | undefined;
  /** Same form as DOCKER_HOST. */
  readonly host = `unix://${join(this.#directory, "docker.sock")}`;
  readonly docker: Docker = dockerCliAt(this.host);

  /** Starts the engine, with its containers from before. Resolves when it answers. */
  async start({ liveRestore }: PrivateEngineOptions): Promise<void> {
    await makeBridge(this.#bridge);
    this.#daemon = await startDockerd(this.#directory, [
      `--bridge=${this.#bridge}`,
      "--iptables=false",
      // If the host runs a containerd, an engine uses it. Without its own namespace it would find the others'
      // containers.
      `--containerd-namespace=${this.#bridge}`,
      `--containerd-plugins-namespace=${this.#bridge}-plugins`,
      `--live-restore=${liveRestore}`,
    ]);
  }

  /** Stops the engine, as an upgrade or `systemctl stop docker` does. Resolves when the daemon has ended. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Kills only the daemon. Its containers keep running until the next start. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /**
   * Ends the daemon, and waits for its containerd too. The next daemon would wait in vain for a dying
   * containerd.
   */
  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const containerd = textOf(join(this.#directory, "exec/containerd/containerd.pid"));
    await this.#daemon?.end(signal);
    this.#daemon = undefined;
    if (containerd === "") return;
    await until(
      "the daemon's containerd has ended",
      () => !existsSync(`/proc/${containerd}`),
      10_000,
    );
  }

  /** Ends the engine in any state, and removes all its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removeContainers().catch(() => undefined); // sweepProcesses() ends the rest
    await this.stop();
    sweepProcesses(this.#directory);
    await run("ip", "link", "delete", this.#bridge).catch(() => undefined);
    removeWithMounts(this.#directory);
  }

  /** Removes the containers. This needs a running daemon: the cgroups of a container outlive its processes. */
  async #removeContainers(): Promise<void> {
    if (this.#daemon === undefined) await this.start({ liveRestore: false });
    const ids = (await this.docker("ps", "--all", "--quiet")).split("\n").filter(Boolean);
    if (ids.length > 0) await this.docker("rm", "--force", "--volumes", ...ids);
  }
}

const BRIDGE_ADDRESS = "02:42:0a:fe:00:01";

/** Makes the bridge, unless it exists already: it outlives the daemon. */
async function makeBridge(name: string): Promise<void> {
  const taken = await run("ip", "-oneline", "address", "show"); // node:os does not list interfaces that are down
  if (taken.includes(` ${name} `)) return;
  let subnet = process.pid % 256;
  while (taken.includes(` 10.254.${subnet}.`)) subnet = (subnet + 1) % 256;
  // Without a fixed MAC address, a bridge takes the address of one of its ports. When that container goes, the
  // address changes, and packets of the other containers' open streams get lost.
  await run("ip", "link", "add", name, "address", BRIDGE_ADDRESS, "type", "bridge");
  await run("ip", "address", "add", `10.254.${subnet}.1/24`, "dev", name);
  await run("ip", "link", "set", name, "up");
}

/**
 * Kills the engine's containerd and shims, whose command lines name the directory, and the containers'
 * processes.
 */
function sweepProcesses(directory: string): void {
  const containerIds = entriesOf(join(directory, "data", "containers"));
  for (const pid of entriesOf("/proc").filter((name) => /^\d+$/.test(name))) {
    const isServant = textOf(`/proc/${pid}/cmdline`).includes(directory);
    const cgroup = textOf(`/proc/${pid}/cgroup`);
    if (!isServant && !containerIds.some((id) => cgroup.includes(id))) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // it has ended by itself
    }
  }
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (code === 0) return output;
  throw new Error(`Cannot run "${command.join(" ")}": ${errors.trim()}`);
}
