/** Finds a real Docker engine for the tests: a running one, or one that it installs and starts. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "../debian-package.ts";
import { removeWithMounts, startDockerd, versionAt } from "./dockerd.ts";

export type TestEngine =
  | {
      readonly kind: "engine";
      /** Same form as DOCKER_HOST. */
      readonly host: string;
      readonly version: string;
      /** Ends the engine if it was started here. */
      readonly stop: () => Promise<void>;
    }
  | { readonly kind: "none"; readonly why: string };

const DEFAULT_HOST = "unix:///var/run/docker.sock";

export async function findEngine(say: (line: string) => void): Promise<TestEngine> {
  const host = process.env["DOCKER_HOST"] || DEFAULT_HOST;
  const version = await versionAt(host);
  if (version !== undefined)
    return usable({ kind: "engine", host, version, stop: async () => undefined });
  if (process.env["TEST_ENGINE"] !== "install") {
    return {
      kind: "none",
      why: `no Docker engine answers at ${host}. Start one, name one in DOCKER_HOST, or set TEST_ENGINE=install, which installs and starts one (as root, on Debian)`,
    };
  }
  if (PROGRAMS.some((program) => Bun.which(program) === null)) await installPackages(PACKAGES);
  return startEngine(say);
}

/** A private engine needs `ip` for its bridge. */
const PROGRAMS = ["dockerd", "docker", "ip"];
const PACKAGES = ["docker.io", "iptables", "iproute2"];

/** Refuses an engine without the command-line client, because the tests need it too. */
function usable(engine: TestEngine): TestEngine {
  if (Bun.which("docker") !== null) return engine;
  return { kind: "none", why: "the command-line client `docker` is not installed" };
}

/**
 * Starts an engine. `stop` removes its data, socket and pid file. The engine uses the host's bridge, docker0.
 */
async function startEngine(say: (line: string) => void): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), "lw-test-engine-"));
  say("Starting a Docker engine …");
  try {
    const { host, version, end } = await startDockerd(directory);
    const stop = async (): Promise<void> => {
      await end("SIGTERM");
      removeWithMounts(directory);
    };
    return { kind: "engine", host, version, stop };
  } catch (error) {
    removeWithMounts(directory);
    return { kind: "none", why: error instanceof Error ? error.message : String(error) };
  }
}
