/**
 * The error of a failed call to the engine, and its message: what went wrong and what to do. It does
 * not decide what the proxy does next.
 */
import { errorCode } from "../ground/error-text.ts";
import { explainSocket, explainStaleSocket } from "./socket-file.ts";

/** Where the Docker Engine listens. */
export type EngineAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * `unreachable`: the engine did not answer. `forbidden`: a socket proxy in front of it does not allow
 * the request. `not a manager`: the engine is a swarm worker, or in no swarm. `refused`: the engine
 * gave another answer than the one that we need.
 */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly kind: "unreachable" | "forbidden" | "not a manager" | "refused";
  /** The HTTP status of the answer; undefined without a usable answer. */
  readonly status: number | undefined;
  /** More advice, for an error that lasts half a minute. */
  readonly ifItLasts: string | undefined;

  constructor(
    message: string,
    options: ErrorOptions & {
      kind: EngineError["kind"];
      status?: number;
      ifItLasts?: string | undefined;
    },
  ) {
    super(message, options);
    this.kind = options.kind;
    this.status = options.status;
    this.ifItLasts = options.ifItLasts;
  }
}

export function showAddress(address: EngineAddress): string {
  return address.kind === "unix"
    ? `unix://${address.path}`
    : `tcp://${address.host}:${address.port}`;
}

/** @param cause the error from fetch: a TypeError with a `code`, or a TimeoutError */
export function unreachable(address: EngineAddress, cause: unknown): EngineError {
  const message = `Cannot reach the Docker engine at ${showAddress(address)}: ${explain(address, cause)}`;
  const isRefused = errorCode(cause) === "ECONNREFUSED" && address.kind === "unix";
  const ifItLasts = isRefused ? explainStaleSocket(address.path) : undefined;
  return new EngineError(message, { kind: "unreachable", cause, ifItLasts });
}

function explain(address: EngineAddress, cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "TimeoutError") return "no answer in time";
  const code = errorCode(cause) ?? "";
  if (address.kind === "unix") return explainSocket(address.path, code) ?? (code || cause.message);
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused; is the engine, or the socket proxy in front of it, running?";
    case "ENOTFOUND":
      return "no such host; check DOCKER_HOST";
    default:
      return code || cause.message;
  }
}

/** @param cause the error of the parser, if there is one */
export function notAnEngine(address: EngineAddress, request: string, cause?: unknown): EngineError {
  const message = `The answer to ${request} from ${showAddress(address)} does not come from a Docker engine; check DOCKER_HOST`;
  return new EngineError(message, { kind: "refused", cause });
}

/** A socket proxy answers with one of these when the engine behind it does not answer. */
const NOBODY_BEHIND: ReadonlySet<number> = new Set([502, 503, 504]);

/** A socket proxy answers with 405 when its rules allow no GET at all. */
const FORBIDDEN: ReadonlySet<number> = new Set([403, 405]);

/** All paths that we ask for, as a regular expression for the rule of a socket proxy. */
const PATHS_RULE = "/v1\\.\\d+/(version|events|containers/json|containers/[^/]+/json)";

/**
 * @param request like `GET /containers/json`
 * @param body the body of the answer: the engine's JSON, or the HTML of a socket proxy
 */
export function refusalError(request: string, status: number, body: string): EngineError {
  const kind = kindOf(status, body);
  const message = `The engine answered ${status} to ${request}: ${messageOf(body)}${advice(kind, request, body)}`;
  return new EngineError(message, { kind, status });
}

/**
 * The engine writes its errors as JSON. Every other error comes from a server in front of the
 * engine.
 */
function kindOf(status: number, body: string): EngineError["kind"] {
  const message = messageInJson(body);
  if (message !== undefined) return isNoManager(status, message) ? "not a manager" : "refused";
  if (NOBODY_BEHIND.has(status)) return "unreachable";
  return FORBIDDEN.has(status) ? "forbidden" : "refused";
}

/** A manager that is starting says nearly the same: `… Manager is being prepared`. It counts as a manager. */
const NO_MANAGER = /^This node is not a swarm manager\. (?:Use|Worker)\b/;

function isNoManager(status: number, message: string): boolean {
  return status === 503 && NO_MANAGER.test(message);
}

function advice(kind: EngineError["kind"], request: string, body: string): string {
  switch (kind) {
    case "unreachable":
      return "; the socket proxy runs, but the engine behind it does not answer";
    case "forbidden":
      return `; allow this request in the socket proxy: set ${ruleFor(request, body)}`;
    case "not a manager":
    case "refused":
      return "";
  }
}

/**
 * The socket proxies of Tecnativa and linuxserver have a variable for each kind of request, and
 * answer with an HTML page. Wollomatic's has regular expressions, and answers with plain text.
 */
function ruleFor(request: string, body: string): string {
  if (!body.trimStart().startsWith("<")) {
    return `-allowGET=${PATHS_RULE} and -allowfrom=<host name of this proxy>`;
  }
  const section = request.split("/")[1]?.toUpperCase();
  return `${section}=1 (this proxy needs CONTAINERS, EVENTS and VERSION)`;
}

function messageOf(body: string): string {
  const text = body
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return messageInJson(body) ?? (text === "" ? "(no message)" : text.slice(0, 200));
}

function messageInJson(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null && "message" in parsed
      ? String(parsed.message)
      : undefined;
  } catch {
    // Not the engine's JSON: the caller uses the text itself.
    return undefined;
  }
}
