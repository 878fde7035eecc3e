/**
 * Says in words for operators why the models of a backend can't be read, and what to do about it. Pure.
 */
import { errorCode } from "../ground/error-text.ts";
import { cut } from "../ground/some-of.ts";

/** The models can't be read because of the server. The message gives the reason in a few words. */
export class ModelsUnreadable extends Error {
  override readonly name = "ModelsUnreadable";
}

/** No connection to the server can be made. Most likely its machine or its process is gone. */
export class ServerUnreachable extends ModelsUnreadable {
  /** Why the connection failed, in a few words: `connection timed out`. */
  readonly how: string;

  constructor(how: string, message = unreachableReason(how)) {
    super(message);
    this.how = how;
  }
}

/** @param how see `ServerUnreachable.how` */
export function unreachableReason(how: string): string {
  return `cannot be reached (${how})`;
}

const BASE_PATH = "set the label inference.api.base_path to the path of its API";
const NAME_MODELS = "name its models in the label inference.models";
const PORT = "set the label inference.port to the port of its API";

/**
 * @param path the path of the request, like `/v1/models`
 * @param location the target of a redirect
 */
export function statusReason(status: number, path: string, location: string | null): string {
  const name = `${status} ${nameOf(status)}`.trim();
  const isRedirect = status >= 300 && status < 400 && location !== null;
  if (isRedirect) return `${name} – it redirects to ${excerpt(location)}: ${BASE_PATH}`;
  return `${name} – ${ADVICE[status]?.(path) ?? otherAdvice(status, path)}`;
}

/**
 * @param path the path of the first request
 * @param location the target of the redirect, on the same server
 * @param reason why there is no list at the target
 */
export function redirectedReason(path: string, location: string, reason: string): string {
  return `GET ${path} redirects to ${excerpt(location)}: ${reason}`;
}

/** The likely statuses. `node:http` knows all of them, but loading it takes 8 MiB. */
const NAMES: Readonly<Record<number, string>> = {
  301: "Moved Permanently",
  302: "Found",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

function nameOf(status: number): string {
  return NAMES[status] ?? process.getBuiltinModule("node:http").STATUS_CODES[status] ?? "";
}

const ADVICE: Readonly<Record<number, (path: string) => string>> = {
  401: (path) => `the server wants an API key for ${path}: ${NAME_MODELS}`,
  403: (path) => `the server does not let the proxy read ${path}: ${NAME_MODELS}`,
  404: (path) => `the server has no ${path}: ${BASE_PATH}, or ${NAME_MODELS}`,
  405: (path) => `the server does not allow GET ${path}: ${BASE_PATH}, or ${NAME_MODELS}`,
  429: () => "the server says that the proxy asks too often",
  502: () => "the server is a gateway, and the server behind it does not answer",
  503: () => "the server is still loading its model",
  508: () =>
    "this container sends requests back to this proxy: remove the label inference.enable from it",
  504: () => "the server is a gateway, and the server behind it does not answer",
};

function otherAdvice(status: number, path: string): string {
  return status >= 500
    ? "the server failed: see its log"
    : `the server does not answer GET ${path} with a list`;
}

/** @param text an answer that is not JSON */
export function notJsonReason(text: string): string {
  const begins = text.trimStart();
  if (begins === "") return `the answer is empty: ${PORT}`;
  if (/^<(!doctype html|html|head|body)/i.test(begins)) {
    return `the answer is HTML, not JSON: ${PORT}, and inference.api.base_path to its path`;
  }
  return `the answer is not JSON: it begins with ${excerpt(begins)}`;
}

/**
 * @param message why we refused to read the answer, like its size
 * @param isEncoded true if the answer has a Content-Encoding
 */
export function refusedReason(message: string, isEncoded: boolean): string {
  return isEncoded
    ? `${message}: the server, or a proxy in front of it, must not compress the answer when Accept-Encoding is identity`
    : `${message}, too large for a model list: ${PORT}`;
}

/**
 * @param error of a request that got no answer, or only a part of one
 * @returns undefined if a request cannot fail with such an error; then it is a bug of ours
 */
export function readingReason(error: unknown, url: string): string | undefined {
  const reason = connectionReason(error, url);
  if (reason !== undefined || !(error instanceof Error)) return reason;
  const isRequest = errorCode(error) !== undefined || error.name === "AbortError";
  return isRequest ? error.message : undefined;
}

export function nothingListens(origin: string): string {
  return `nothing listens at ${origin}: set the label inference.port, and make the server listen on 0.0.0.0`;
}

function connectionReason(error: unknown, url: string): string | undefined {
  const { origin, pathname } = new URL(url);
  switch (errorCode(error)) {
    case "ECONNREFUSED":
      return nothingListens(origin);
    case "ECONNRESET":
      return `the server closed the connection before its answer to GET ${pathname} was complete: did it crash, or does ${origin} expect HTTPS?`;
    case "Malformed_HTTP_Response":
      return `the server at ${origin} does not speak HTTP: ${PORT}`;
    default:
      return undefined;
  }
}

const EXCERPT_LENGTH = 60;

function excerpt(text: string): string {
  return JSON.stringify(cut(text, EXCERPT_LENGTH));
}
