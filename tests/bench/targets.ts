/** What is measured: the upstream itself, and each proxy in front of it, started for the run. */
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/proxy/compiled.ts";
import { processesOf } from "./processes.ts";
import { find, type Program } from "./programs.ts";

export type Target = {
  readonly name: string;
  readonly port: number;
  /** All its processes; none for the upstream, which is no proxy. */
  readonly pids: readonly number[];
  /** What it said that it should not have; empty if all is well. */
  readonly complaints: () => string;
  readonly stop: () => Promise<void>;
};

export const DIRECT = "direct";
export const NGINX = "nginx";
export const OURS = "ours";

type Other = {
  readonly program: Exclude<Program, "wrk">;
  readonly template: string;
  readonly command: (path: string, configuration: string) => readonly string[];
};

export const OTHERS: readonly Other[] = [
  {
    program: NGINX,
    template: "nginx.conf",
    command: (path, configuration) => [path, "-c", configuration],
  },
  {
    program: "caddy",
    template: "Caddyfile",
    command: (path, configuration) => [
      ...[path, "run", "--adapter", "caddyfile"],
      ...["--config", configuration],
    ],
  },
  {
    program: "haproxy",
    template: "haproxy.cfg",
    command: (path, configuration) => [path, "-db", "-f", configuration],
  },
];

/** A process of ours that prints its port. It is ended with the block that holds it. */
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
    complaints: () => "",
    stop: () => Promise.resolve(),
  };
}

/** How a proxy is started. */
export type Launch = {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  /** For what it says. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
};

/** @returns undefined if it is not installed */
export function launchOfOther(
  { program, template, command }: Other,
  upstream: Upstream,
  directory: string,
): Launch | undefined {
  const path = find(program);
  if (path === undefined) return undefined;
  const own = join(directory, program);
  mkdirSync(own, { mode: 0o755 });
  const port = freePort();
  const values: Readonly<Record<string, string | number>> = {
    listen: port,
    upstream: upstream.port,
    directory: own,
  };
  const text = readFileSync(join(import.meta.dir, template), "utf8");
  const configuration = join(own, template);
  writeFileSync(
    configuration,
    text.replace(/@(\w+)@/g, (_, name: string) => `${values[name]}`),
  );
  // Caddy keeps its state below HOME.
  const env = { HOME: own, XDG_DATA_HOME: own, XDG_CONFIG_HOME: own };
  return { name: program, command: command(path, configuration), port, directory: own, env };
}

/** Our compiled binary, following the engine at `socketPath`. */
export function launchOfOurs(
  binary: { readonly name: string; readonly path: string },
  socketPath: string,
  directory: string,
): Launch {
  const port = freePort();
  const env = { PROXY_PORT: String(port), DOCKER_HOST: `unix://${socketPath}` };
  return { name: binary.name, command: [binary.path], port, directory, env };
}

export type Started = Target & { readonly listeningAfterMs: number };

export async function start({ name, command, port, directory, env }: Launch): Promise<Started> {
  const said = join(directory, `${name}.stderr`);
  const startedMs = performance.now();
  const child = Bun.spawn([...command], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", openSync(said, "w")],
  });
  const complaints = (): string => readFileSync(said, "utf8");
  while (!(await listens(port))) {
    if (performance.now() - startedMs < START_MS) {
      await Bun.sleep(1); // a busy loop would take a core from what is starting
      continue;
    }
    child.kill("SIGKILL");
    throw new Error(`Cannot start ${name}: it does not listen. It says: ${complaints()}`);
  }
  const listeningAfterMs = performance.now() - startedMs;
  await Bun.sleep(SETTLE_MS);
  const pids = processesOf(child.pid);
  return { name, port, pids, complaints, listeningAfterMs, stop: () => end(child) };
}

const START_MS = 10_000;
/** Until its worker processes are there, and what starting took is given back. */
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
