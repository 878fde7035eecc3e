/** What went wrong between us and the engine, in words that say what to do. */
import { statSync } from "node:fs";

/** Where the Docker Engine listens. */
export type EngineAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** `unreachable`: no answer at all. `refused`: an answer, but not the one asked for. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly kind: "unreachable" | "refused";

  constructor(message: string, options: ErrorOptions & { kind: EngineError["kind"] }) {
    super(message, options);
    this.kind = options.kind;
  }
}

export function showAddress(address: EngineAddress): string {
  return address.kind === "unix"
    ? `unix://${address.path}`
    : `tcp://${address.host}:${address.port}`;
}

/** @param cause what fetch threw: a TypeError with a `code`, or a TimeoutError */
export function unreachable(address: EngineAddress, cause: unknown): EngineError {
  const message = `Cannot reach the Docker engine at ${showAddress(address)}: ${explain(address, cause)}`;
  return new EngineError(message, { kind: "unreachable", cause });
}

function explain(address: EngineAddress, cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "TimeoutError") return "no answer in time";
  const code = "code" in cause ? String(cause.code) : "";
  switch (code) {
    case "ENOENT":
      return "no such socket; mount it, or name another one in DOCKER_HOST";
    case "EACCES":
    case "EPERM":
      return address.kind === "unix" ? permissionDenied(address.path) : code;
    case "ECONNREFUSED":
      return "connection refused; is the engine running?";
    case "ENOTFOUND":
      return "no such host; check DOCKER_HOST";
    default:
      return code === "" ? cause.message : code;
  }
}

function permissionDenied(path: string): string {
  try {
    const { gid } = statSync(path);
    return `permission denied; add the proxy to group ${gid}, which owns the socket (docker run --group-add ${gid}; in Compose group_add: ["${gid}"])`;
  } catch {
    return "permission denied; the proxy's user may not enter its directory";
  }
}

/** @param body whatever came with the status: the engine's JSON, or a socket proxy's HTML */
export function refused(request: string, status: number, body: string): EngineError {
  const message = `The engine answered ${status} to ${request}: ${messageOf(body)}`;
  return new EngineError(message, { kind: "refused" });
}

function messageOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) {
      return String(parsed.message);
    }
  } catch {
    // not the engine's JSON: the text itself has to do
  }
  const text = body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return text === "" ? "(no message)" : text.slice(0, 200);
}
