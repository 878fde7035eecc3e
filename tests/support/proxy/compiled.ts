/** The compiled binary as a child process, as an operator runs it. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { controlSocket, SHARED_DIRECTORY } from "../../../src/ground/control-socket.ts";
import { readNetworkNamespace } from "../../../src/process/network-namespace.ts";
import { until, within } from "../until.ts";
import { expectListed } from "./log-event.ts";

export const BINARY = join(import.meta.dir, "../../../dist/lw-inference-proxy");

type LogLine = Readonly<Record<string, unknown>>;

function readLine(text: string): LogLine {
  const line = JSON.parse(text) as LogLine & { readonly level: string; readonly message: string };
  expectListed(line);
  return line;
}

export type CompiledProxy = AsyncDisposable & {
  readonly origin: string;
  readonly port: number;
  readonly pid: number;
  readonly log: () => readonly LogLine[];
  readonly logged: (text: string) => boolean;
  readonly stderr: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<number>;
};

type Options = {
  readonly env: Readonly<Record<string, string>>;
  /** A free one if it is not given. */
  readonly port?: number;
  readonly cwd?: string;
  /** Limit of open files. */
  readonly descriptors?: number;
  readonly binary?: string;
};

/** Starts it, and waits until it listens. It is killed at the end of the block that holds it. */
export async function startCompiled(options: Options): Promise<CompiledProxy> {
  const { env, cwd, descriptors, binary = BINARY, port = freePort() } = options;
  const command =
    descriptors === undefined
      ? [binary]
      : ["sh", "-c", `ulimit -n ${descriptors} && exec "$0"`, binary];
  const child = Bun.spawn(command, {
    env: { PATH: process.env["PATH"] ?? "", PROXY_PORT: String(port), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(cwd !== undefined && { cwd }),
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const origin = `http://127.0.0.1:${port}`;
  const proxy: CompiledProxy = {
    origin,
    port,
    pid: child.pid,
    log: () => lines(stdout()).map(readLine),
    logged: (text) => stdout().includes(text),
    stderr,
    kill: (signal) => child.kill(signal),
    exited: child.exited,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
      const networkNamespace = await readNetworkNamespace();
      rmSync(controlSocket({ directory: SHARED_DIRECTORY, port, networkNamespace }), {
        force: true,
      });
    },
  };
  await until(`the proxy listens (${stderr()})`, () => isUp(origin));
  return proxy;
}

/** Runs it until it ends. */
export async function runCompiled(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  binary = BINARY,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = Bun.spawn([binary, ...args], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const all = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  const [code, stdout, stderr] = await within("its end", all);
  return { code, stdout, stderr };
}

export function freePort(): number {
  using server = Bun.serve({ port: 0, fetch: () => new Response() });
  return server.port ?? 0;
}

async function isUp(origin: string): Promise<boolean> {
  return fetch(`${origin}/healthz`, { keepalive: false }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function collect(stream: ReadableStream<Uint8Array>): () => string {
  let text = "";
  const utf8 = new TextDecoder();
  void (async () => {
    for await (const bytes of stream) text += utf8.decode(bytes, { stream: true });
  })();
  return () => text;
}

function lines(text: string): readonly string[] {
  return text.split("\n").slice(0, -1); // the last one may not be complete
}
