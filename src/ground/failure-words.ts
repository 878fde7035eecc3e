/**
 * Says in plain words why a request to a server failed. Does not use the text of the runtime, which contains
 * advice for programmers and addresses. The result is always short and printable. Pure.
 */
import { errorCode } from "./error-text.ts";
import { printable } from "./printable.ts";
import { cut } from "./some-of.ts";

const CLOSED = "the server closed the connection";
export const NO_CONNECTION = "the proxy could not connect to the server";
/** The proxy does not know why the run is over: it saw a newer run, or lost the network to the container. */
export const RUN_OVER = "the server stopped or is no longer reachable";

/** The code for a 101 answer that does not open a WebSocket (RFC 6455 §4.1). */
export const BAD_HANDSHAKE = "BAD_HANDSHAKE";

/** System codes for a failed connection. The data on the connection was not the problem. */
const CONNECTION: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the server refused the connection",
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  EHOSTUNREACH: NO_CONNECTION,
  ENETUNREACH: NO_CONNECTION,
  ETIMEDOUT: NO_CONNECTION,
};

/** All other system codes. */
const OF_SYSTEM = /^E[A-Z0-9]+$/;
/** Codes of the WebSocket client for bad frames. */
const BAD_FRAME = /^WS_ERR_/;
/**
 * Runtime codes for an answer that is not HTTP (seen in Bun 1.4.5: Malformed_HTTP_Response,
 * InvalidContentLength …).
 */
const NO_HTTP = /HTTP|^Invalid/;
const NAME_LENGTH_MAX = 60;

/** True if the connection failed. It also fails when the server has ended. */
export function isOfConnection(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && Object.hasOwn(CONNECTION, code);
}

/** Returns a full clause: `the server closed the connection`. */
export function failureWords(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined) return wordsWithoutCode(error);
  if (Object.hasOwn(CONNECTION, code)) return CONNECTION[code] ?? CLOSED;
  if (/^\d{3}$/.test(code)) return answeredWith(code);
  if (code === "EMFILE") return "the proxy is out of file descriptors";
  if (code === BAD_HANDSHAKE) return "the server's answer does not open a WebSocket";
  const name = shown(code);
  if (BAD_FRAME.test(code)) return `the server sent an invalid WebSocket frame (${name})`;
  if (OF_SYSTEM.test(code)) return `the connection failed (${name})`;
  return NO_HTTP.test(code)
    ? `the server's answer is not valid HTTP (${name})`
    : `the proxy cannot pass on the server's answer (${name})`;
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
