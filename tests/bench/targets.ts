/** The targets of the measurement: the upstream itself, and each proxy in front of it, started for the run. */
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processesOf } from "./processes.ts";

export type Target = {
  readonly name: string;
  readonly port: number;
  /** All its processes. Empty for the upstream, which is no proxy. */
  readonly pids: readonly number[];
  /** Whether to measure it with a workload. */
  readonly isFor: (workload: string) => boolean;
  /** Output that it should not have written; empty if all is well. */
  readonly complaints: () => string;
  readonly stop: () => Promise<void>;
};

export const DIRECT = "direct";
export const NGINX = "nginx";
export const CADDY = "caddy";
export const HAPROXY = "haproxy";
/** A ReverseProxy of Go's standard library: reverse-proxy.go. */
export const GO = "go";
/** The smallest proxy on Bun: reference-proxy.ts. */
export const BUN = "bun";
export const OURS = "ours";
/** An older build of ours, if `--binary` gives one with this name. */
export const BEFORE = "before";

/** A process of ours that prints its port. It ends with the block that holds it. */
export type OwnProcess = AsyncDisposable & { readonly port: number; readonly pid: number };

export type Upstream = OwnProcess;

export function startUpstream(): Promise<Upstream> {
  return startProcess(join(import.meta.dir, "upstream.ts"));
}

export async function startProcess(
  program: string,
  env: Readonly<Record<string, string>> = {},
): Promise<OwnProcess> {
  const child = Bun.spawn([process.execPath, program], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await child.stdout.values().next(); // printed in one piece
  const port = Number(Buffer.from(value ?? []).toString());
  return { port, pid: child.pid, [Symbol.asyncDispose]: () => end(child) };
}

export function directly(upstream: Upstream): Target {
  return {
    name: DIRECT,
    port: upstream.port,
    pids: [],
    isFor: () => true,
    complaints: () => "",
    stop: () => Promise.resolve(),
  };
}

/** How to start a proxy: see launches.ts. */
export type Launch = {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  /** Holds its output. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whether it should write nothing to stderr. */
  readonly isSilent: boolean;
  /** Whether to measure it with a workload. */
  readonly isFor: (workload: string) => boolean;
};

export type Started = Target & { readonly listeningAfterMs: number };

export async function start(launch: Launch): Promise<Started> {
  const { name, command, port, directory, env, isSilent, isFor } = launch;
  const said = join(directory, `${name}.stderr`);
  const startedMs = performance.now();
  const child = Bun.spawn([...command], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", openSync(said, "w")],
  });
  const saying = (): string => readFileSync(said, "utf8");
  while (!(await listens(port))) {
    if (performance.now() - startedMs < START_MS) {
      await Bun.sleep(1); // a busy loop would take a core from the starting program
      continue;
    }
    child.kill("SIGKILL");
    throw new Error(`Cannot start ${name}: it does not listen. Its output: ${saying()}`);
  }
  const listeningAfterMs = performance.now() - startedMs;
  await Bun.sleep(SETTLE_MS);
  const pids = processesOf(child.pid);
  const complaints = (): string => (isSilent ? saying() : "");
  return { name, port, pids, isFor, complaints, listeningAfterMs, stop: () => end(child) };
}

const START_MS = 10_000;
/** The time until its worker processes run, and the memory of the start is freed. */
const SETTLE_MS = 500;

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), 1_000);
  await child.exited;
  clearTimeout(patience);
}

function listens(port: number): Promise<boolean> {
  return Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).then(
    (socket) => {
      socket.end();
      return true;
    },
    () => false,
  );
}
