/**
 * A request to a server that failed → why, in plain words, without the runtime's own text: that has advice for
 * programmers in it, and addresses. Short and printable, whatever was thrown. Pure.
 */
import { errorCode } from "./error-text.ts";
import { printable } from "./printable.ts";
import { cut } from "./some-of.ts";

const CLOSED = "the server closed the connection";
export const NO_CONNECTION = "no connection could be made";
/** The run is over for us, and nobody has told how: another run was seen, or the network between was left. */
export const RUN_OVER = "the server is gone, or can't be reached any more";

/** The code of a 101 that opens no WebSocket (RFC 6455 §4.1). */
export const BAD_HANDSHAKE = "BAD_HANDSHAKE";

/** Codes of the system: the connection failed, and not what came over it. */
const CONNECTION: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the server refused the connection",
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  EHOSTUNREACH: NO_CONNECTION,
  ENETUNREACH: NO_CONNECTION,
  ETIMEDOUT: NO_CONNECTION,
};

/** The system's other codes. */
const OF_SYSTEM = /^E[A-Z0-9]+$/;
/** Those of the WebSocket client for bad frames. */
const BAD_FRAME = /^WS_ERR_/;
/** The runtime's for an answer that is no HTTP (measured, 1.4.5: Malformed_HTTP_Response, InvalidContentLength …). */
const NO_HTTP = /HTTP|^Invalid/;
const NAME_LENGTH_MAX = 60;

/** True if the connection failed: so it does when the server at its other end has ended. */
export function isOfConnection(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && Object.hasOwn(CONNECTION, code);
}

/** A clause with a subject of its own: `the server closed the connection`. */
export function failureWords(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined) return wordsWithoutCode(error);
  if (Object.hasOwn(CONNECTION, code)) return CONNECTION[code] ?? CLOSED;
  if (/^\d{3}$/.test(code)) return answeredWith(code);
  if (code === "EMFILE") return "the proxy is out of file descriptors";
  if (code === BAD_HANDSHAKE) return "the server's answer opens no WebSocket";
  const name = shown(code);
  if (BAD_FRAME.test(code)) return `the server sent what a WebSocket may not (${name})`;
  if (OF_SYSTEM.test(code)) return `the connection failed (${name})`;
  return NO_HTTP.test(code)
    ? `the server sent what is not HTTP (${name})`
    : `the server's answer can't be passed on (${name})`;
}

function wordsWithoutCode(error: unknown): string {
  if (!(error instanceof Error)) return "the request failed";
  const [, status] = /^status (\d{3})$/.exec(error.message) ?? [];
  if (status !== undefined) return answeredWith(status);
  return error.name === "AbortError"
    ? "the connection was aborted"
    : `the request failed (${shown(error.name)})`;
}

function answeredWith(status: string): string {
  return `the server answered with status ${status}`;
}

function shown(name: string): string {
  return printable(cut(name, NAME_LENGTH_MAX));
}
