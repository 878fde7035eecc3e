/** The commands beside running the proxy: what they print, and their exit code. */
import { type Command, help, wrongArgument } from "./command-line.ts";
import { VARIABLES } from "./config.ts";
import { isAllRouted, parseStatus, renderStatus } from "./status-table.ts";
import { COMMIT, VERSION } from "./version.ts";

export type Outcome = {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
};

const OK = 0;
const NOT_WELL = 1;
/** A wrong argument, or nothing to ask. */
const CANNOT = 2;

/** Shorter than the HEALTHCHECK's own limit in the Dockerfile, so that this one gets to say why. */
const HEALTHCHECK_BOUND_MS = 3_000;
const STATUS_BOUND_MS = 5_000;

/** @param port where the proxy listens on this machine, in this container; undefined if PROXY_PORT is none */
export async function runCommand(
  command: Exclude<Command, { readonly kind: "serve" }>,
  port: number | undefined,
): Promise<Outcome> {
  switch (command.kind) {
    case "version":
      return {
        code: OK,
        stdout: `lw-inference-proxy ${VERSION} (commit ${COMMIT}, Bun ${Bun.version})\n`,
      };
    case "help":
      return { code: OK, stdout: help(VARIABLES) };
    case "wrong":
      return { code: CANNOT, stderr: wrongArgument(command.argument) };
    case "healthcheck":
      return port === undefined ? failed(NOT_WELL, NO_PORT) : healthcheck(port);
    case "status":
      return port === undefined ? failed(CANNOT, NO_PORT) : status(port, command.json);
  }
}

const NO_PORT = "PROXY_PORT is not a port from 1 to 65535";

/** For an image without a shell: Docker keeps what it prints beside the result. */
async function healthcheck(port: number): Promise<Outcome> {
  const reply = await get(port, "/healthz", HEALTHCHECK_BOUND_MS);
  if (reply.kind === "none") return failed(NOT_WELL, reply.why);
  return reply.status === 200
    ? { code: OK }
    : failed(NOT_WELL, `the answer of ${reply.url} is ${reply.status}`);
}

async function status(port: number, json: boolean): Promise<Outcome> {
  const reply = await get(port, "/status", STATUS_BOUND_MS);
  if (reply.kind === "none") return failed(CANNOT, `${reply.why}. ${WHERE_TO_ASK}`);
  const parsed = reply.status === 200 ? parseStatus(reply.body) : undefined;
  if (parsed === undefined) {
    const why = `the answer of ${reply.url} (${reply.status}) is not that of an lw-inference-proxy`;
    return failed(CANNOT, `${why}. ${WHERE_TO_ASK}`);
  }
  return {
    code: isAllRouted(parsed) ? OK : NOT_WELL,
    stdout: json ? reply.body : renderStatus(parsed, Date.now()),
  };
}

const WHERE_TO_ASK =
  "If the proxy listens on another port, set PROXY_PORT; if it runs in a container, ask there: docker exec <container> lw-inference-proxy status";

type Reply =
  | {
      readonly kind: "reply";
      readonly url: string;
      readonly status: number;
      readonly body: string;
    }
  | { readonly kind: "none"; readonly why: string };

async function get(port: number, path: string, boundMs: number): Promise<Reply> {
  const url = `http://127.0.0.1:${port}${path}`;
  try {
    // HTTP_PROXY and its kin never apply.
    const response = await fetch(url, {
      proxy: false,
      redirect: "manual",
      signal: AbortSignal.timeout(boundMs),
    });
    return { kind: "reply", url, status: response.status, body: await response.text() };
  } catch (error) {
    return { kind: "none", why: `no proxy answers at ${url}: ${explain(error, boundMs)}` };
  }
}

function explain(error: unknown, boundMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `nothing came within ${boundMs / 1_000} s`;
  const code = "code" in error ? String(error.code) : "";
  return code === "ECONNREFUSED" || code === "ConnectionRefused"
    ? "connection refused"
    : code || error.message;
}

function failed(code: number, why: string): Outcome {
  return { code, stderr: `lw-inference-proxy: ${why}\n` };
}
