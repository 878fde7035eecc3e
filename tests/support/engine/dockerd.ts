/** A Docker daemon as a child process. It keeps all its files in one directory. */
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

export type Dockerd = {
  /** Same form as DOCKER_HOST. */
  readonly host: string;
  readonly version: string;
  readonly pid: number;
  /**
   * SIGTERM asks the daemon to end. SIGKILL kills the daemon, but not its containers. Resolves when it has
   * ended.
   */
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Promise<void>;
};

const START_BOUND_MS = 60_000;

/**
 * Starts a daemon. Resolves when it answers.
 *
 * @param flags more flags for its command line
 * @param inside a command that becomes dockerd, for example one that gives it a network namespace
 * @throws if the daemon ends instead, with the end of its log
 */
export async function startDockerd(
  directory: string,
  flags: readonly string[] = [],
  inside: readonly string[] = [],
): Promise<Dockerd> {
  const host = `unix://${join(directory, "docker.sock")}`;
  const logPath = join(directory, "dockerd.log");
  const log = openSync(logPath, "a");
  const child = Bun.spawn(
    [
      ...inside,
      "dockerd",
      `--host=${host}`,
      `--data-root=${join(directory, "data")}`,
      `--exec-root=${join(directory, "exec")}`,
      `--pidfile=${join(directory, "docker.pid")}`,
      ...flags,
    ],
    { stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await child.exited;
  };
  const deadline = performance.now() + START_BOUND_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const version = await versionAt(host);
    if (version !== undefined) return { host, version, pid: child.pid, end };
    await Bun.sleep(20); // wait until it answers or ends
  }
  await end("SIGTERM");
  const lastWords = readFileSync(logPath, "utf8").trim().split("\n").slice(-5).join("\n");
  throw new Error(`dockerd did not start: ${lastWords}`);
}

/**
 * Removes a daemon's directory after the daemon has ended. First it unmounts the daemon's leftover mounts:
 * always the network namespace of `--network host`, sometimes the file systems of containers that did not end
 * in time.
 */
export function removeWithMounts(directory: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) Bun.spawnSync(["umount", "--lazy", point]);
  rmSync(directory, { recursive: true, force: true });
}

/** @returns undefined if no engine answers at `host` */
export async function versionAt(host: string): Promise<string | undefined> {
  const unix = /^unix:\/\/(.+)$/.exec(host)?.[1];
  const url =
    unix === undefined ? `${host.replace(/^tcp:/, "http:")}/version` : "http://docker/version";
  try {
    const signal = AbortSignal.timeout(5_000);
    const response = await fetch(url, {
      ...(unix !== undefined && { unix }),
      signal,
      proxy: false,
    });
    return ((await response.json()) as { readonly Version?: string }).Version;
  } catch {
    return undefined;
  }
}
