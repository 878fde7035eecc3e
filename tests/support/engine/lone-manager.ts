/**
 * A real Docker engine that can be the only node of a swarm. It has its own network namespace with only
 * loopback, so the swarm's ports and interfaces do not touch this machine. Its services and tasks are real.
 * Its containers reach no other host, and it cannot pull images.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Docker, dockerCliAt } from "../server/inference-server/image.ts";
import { type Dockerd, removeWithMounts, startDockerd } from "./dockerd.ts";

/** @returns undefined if such an engine can start here, otherwise the reason */
export function whyNoLoneManager(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can start a Docker engine";
  const needed = ["dockerd", "docker", "ip", "unshare"];
  const missing = needed.filter((program) => Bun.which(program) === null);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

export class LoneManager implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "lw-manager-"));
  #daemon: Dockerd | undefined;
  readonly socketPath = join(this.#directory, "docker.sock");
  readonly docker: Docker = dockerCliAt(`unix://${this.socketPath}`);

  /** The pid of dockerd. */
  get pid(): number {
    if (this.#daemon === undefined) throw new Error("The engine has not been started");
    return this.#daemon.pid;
  }

  /** Resolves when the engine answers. It is in no swarm yet. */
  async start(flags: readonly string[] = []): Promise<this> {
    this.#daemon = await startDockerd(this.#directory, flags, [
      ...["unshare", "--net", "--uts", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
    ]);
    return this;
  }

  /** Makes the engine the only node of a new swarm. */
  async initSwarm(): Promise<void> {
    const pools = ["--default-addr-pool", "10.200.0.0/16"];
    await this.docker("swarm", "init", "--advertise-addr", "127.0.0.1", ...pools);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.end("SIGTERM");
    removeWithMounts(this.#directory);
  }
}
