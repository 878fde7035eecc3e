/** The Docker engine that the tests use: one that is there, or one that is installed and started for them. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type TestEngine =
  | {
      readonly kind: "engine";
      /** As in DOCKER_HOST. */
      readonly host: string;
      readonly version: string;
      /** Ends it if it was started here. */
      readonly stop: () => Promise<void>;
    }
  | { readonly kind: "none"; readonly why: string };

const DEFAULT_HOST = "unix:///var/run/docker.sock";
const START_BOUND_MS = 60_000;

export async function findEngine(say: (line: string) => void): Promise<TestEngine> {
  const host = process.env["DOCKER_HOST"] || DEFAULT_HOST;
  const version = await versionAt(host);
  if (version !== undefined)
    return usable({ kind: "engine", host, version, stop: async () => undefined });
  if (process.env["TEST_ENGINE"] !== "install") {
    return {
      kind: "none",
      why: `no Docker engine answers at ${host}. Start one, name one in DOCKER_HOST, or set TEST_ENGINE=install to have one installed and started (as root, on Debian)`,
    };
  }
  if (Bun.which("dockerd") === null || Bun.which("docker") === null) await install(say);
  return startEngine(say);
}

/** The tests need the command-line client as well. */
function usable(engine: TestEngine): TestEngine {
  if (Bun.which("docker") !== null) return engine;
  return { kind: "none", why: "the command-line client `docker` is not installed" };
}

async function install(say: (line: string) => void): Promise<void> {
  say("Installing Debian's docker.io …");
  await run("apt-get", "update", "-qq");
  await run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker.io", "iptables");
}

/** A private one: its data, its socket and its pid file go with it. */
async function startEngine(say: (line: string) => void): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), "lw-test-engine-"));
  const host = `unix://${join(directory, "docker.sock")}`;
  const logPath = join(directory, "dockerd.log");
  say("Starting a Docker engine …");
  const log = openSync(logPath, "w");
  const child = Bun.spawn(
    [
      "dockerd",
      `--host=${host}`,
      `--data-root=${join(directory, "data")}`,
      `--exec-root=${join(directory, "exec")}`,
      `--pidfile=${join(directory, "docker.pid")}`,
    ],
    { stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + START_BOUND_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const version = await versionAt(host);
    if (version !== undefined) return { kind: "engine", host, version, stop };
    await Bun.sleep(100);
  }
  const lastWords = readFileSync(logPath, "utf8").trim().split("\n").slice(-5).join("\n");
  await stop();
  return { kind: "none", why: `dockerd did not start: ${lastWords}` };
}

async function versionAt(host: string): Promise<string | undefined> {
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

async function run(...command: string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = Bun.spawn(command, { env, stdio: ["ignore", "ignore", "inherit"] });
  if ((await child.exited) !== 0) throw new Error(`Cannot run "${command.join(" ")}"`);
}
