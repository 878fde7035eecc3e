/** The commands beside running the proxy: what they print, and their exit code. */

import { type LoadedPlace, type Place, VARIABLES } from "../config.ts";
import { errorCode, errorText } from "../ground/error-text.ts";
import { ownRequest, readText } from "../ground/own-request.ts";
import { printable } from "../ground/printable.ts";
import { COMMIT, VERSION } from "../process/version.ts";
import { type Command, help, wrongArgument } from "./arguments.ts";
import { isAllRouted, parseStatus, renderJson, renderStatus } from "./table.ts";

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

/** Whatever listens there: no more of it is read. */
const HEALTHCHECK_BYTES_MAX = 64 * 1024;
const STATUS_BYTES_MAX = 64 * 1024 * 1024;

/** @param loaded where the proxy listens on this machine, in this container */
export async function runCommand(
  command: Exclude<Command, { readonly kind: "serve" }>,
  loaded: LoadedPlace,
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
      return loaded.kind === "wrong"
        ? failed(NOT_WELL, ...loaded.errors)
        : healthcheck(originOf(loaded.place));
    case "status":
      return loaded.kind === "wrong"
        ? failed(CANNOT, ...loaded.errors)
        : status(originOf(loaded.place), command.json);
  }
}

/** Where a proxy that listens there can be asked: what stands for all addresses is the address of none. */
export function originOf({ host = "0.0.0.0", port }: Place): string {
  const { hostname } = new URL(host.includes(":") ? `http://[${host}]` : `http://${host}`);
  const own = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "[::]" ? "[::1]" : hostname;
  return `http://${own}:${port}`;
}

/** For an image without a shell: Docker keeps what it prints beside the result. */
async function healthcheck(origin: string): Promise<Outcome> {
  const reply = await get(`${origin}/healthz`, HEALTHCHECK_BOUND_MS, HEALTHCHECK_BYTES_MAX);
  if (reply.kind === "none") return failed(NOT_WELL, reply.why);
  return reply.status === 200
    ? { code: OK }
    : failed(NOT_WELL, `the answer of ${reply.url} is ${reply.status}`);
}

async function status(origin: string, json: boolean): Promise<Outcome> {
  const reply = await get(`${origin}/status`, STATUS_BOUND_MS, STATUS_BYTES_MAX);
  if (reply.kind === "none") return failed(CANNOT, `${reply.why}. ${WHERE_TO_ASK}`);
  const parsed = reply.status === 200 ? parseStatus(reply.body) : undefined;
  const shown = parsed && (json ? renderJson(reply.body) : renderStatus(parsed, Date.now()));
  if (parsed === undefined || shown === undefined) {
    const why = `the answer of ${reply.url} (${reply.status}) is not that of an lw-inference-proxy`;
    return failed(CANNOT, `${why}. ${WHERE_TO_ASK}`);
  }
  return { code: isAllRouted(parsed) ? OK : NOT_WELL, stdout: shown };
}

const WHERE_TO_ASK =
  "If the proxy listens elsewhere, set PROXY_PORT and PROXY_HOST; if it runs in a container, ask there: docker exec <container> lw-inference-proxy status";

type Reply =
  | {
      readonly kind: "reply";
      readonly url: string;
      readonly status: number;
      readonly body: string;
    }
  | { readonly kind: "none"; readonly why: string };

async function get(url: string, boundMs: number, bytesMax: number): Promise<Reply> {
  try {
    const response = await ownRequest(url, { signal: AbortSignal.timeout(boundMs) });
    const body = await readText(response, bytesMax);
    return { kind: "reply", url, status: response.status, body };
  } catch (error) {
    return { kind: "none", why: `no proxy answers at ${url}: ${explain(error, boundMs)}` };
  }
}

function explain(error: unknown, boundMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError")
    return `nothing came within ${boundMs / 1_000} s`;
  const code = errorCode(error);
  return code === "ECONNREFUSED" || code === "ConnectionRefused"
    ? "connection refused"
    : (code ?? errorText(error));
}

function failed(code: number, ...reasons: readonly string[]): Outcome {
  const lines = reasons.map((why) => `lw-inference-proxy: ${printable(why)}\n`);
  return { code, stderr: lines.join("") };
}
