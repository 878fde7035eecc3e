/**
 * The client's handshake for a WebSocket (RFC 6455 §4.2.1): recognises it, refuses a wrong one before it asks a server,
 * and tells clients that can use HTTP instead to do so. Opens nothing.
 */
import { PUBLIC_PREFIX, RESPONSES } from "../ground/paths.ts";
import { type ErrorCode, errorCodeOf, errorResponse, messageOf } from "./own/errors.ts";
import type { Target } from "./target.ts";

/** The only WebSocket version (RFC 6455 §4.1). */
const VERSION = "13";
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Says whether a request is a handshake for a server. On other paths we ignore `Upgrade` (RFC 9110 §7.8). */
export function isHandshake({ method, headers }: Request, { path }: Target): boolean {
  if (method !== "GET" || !path.startsWith(`${PUBLIC_PREFIX}/`)) return false;
  return says(headers.get("upgrade"), "websocket") && says(headers.get("connection"), "upgrade");
}

/** Compares whole words: Bun does not upgrade a request whose `Upgrade` only contains the word (measured, 1.4.5). */
function says(list: string | null, word: string): boolean {
  return list?.split(",").some((item) => item.trim().toLowerCase() === word) === true;
}

/** Refuses a handshake that cannot become a WebSocket, or not a safe one. */
export function handshakeRefusal(
  request: Request,
  target: Target,
  isComplete = isHandshake(request, target),
): Response | undefined {
  const { headers } = request;
  if (!isComplete) return lacksUpgrade(request) ? withoutUpgrade(target) : undefined;
  const version = headers.get("sec-websocket-version");
  if (version !== VERSION) {
    const response = errorResponse(
      "upgrade_required",
      `Cannot open the WebSocket: the version must be ${VERSION}; send "Sec-WebSocket-Version: ${VERSION}"`,
    );
    response.headers.set("sec-websocket-version", VERSION); // RFC 6455 §4.4
    response.headers.set("upgrade", "websocket");
    return response;
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return invalid("Sec-WebSocket-Key must be 16 bytes in base64");
  }
  // Bun would read the bytes of a body as frames (measured, 1.4.5).
  const length = headers.get("content-length") ?? "0";
  if (headers.has("transfer-encoding") || length !== "0") {
    return invalid("the handshake must have no body");
  }
  return undefined;
}

/** A front proxy that passes on no upgrades (nginx by default) still passes on the key (RFC 6455 §4.1). */
function lacksUpgrade({ method, headers }: Request): boolean {
  return method === "GET" && headers.has("sec-websocket-key");
}

function withoutUpgrade(target: Target): Response {
  const why =
    'Cannot open the WebSocket: the request lacks "Connection: Upgrade" or "Upgrade: websocket"; if a front proxy drops these headers, make it pass them on';
  return hasHttpInstead(target) ? upgradeRequired(why) : errorResponse("upgrade_required", why);
}

function invalid(reason: string): Response {
  return errorResponse("invalid_handshake", `Cannot open the WebSocket: ${reason}`);
}

/**
 * Codex tries a WebSocket for its responses at every start. After a 426 it uses HTTP at once. After a 403, 404, 405 or
 * 501 it repeats the handshake for 7 s, and after a 400 it gives up (measured, 0.171).
 */
const GOES_ON_OVER_HTTP: ReadonlySet<number> = new Set([400, 403, 404, 405, 501]);

/** A request over HTTP names its model, so it may succeed where a handshake without a model fails. */
const BETTER_OVER_HTTP: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  "starting",
  "backend_unavailable",
]);

/** Says whether we may answer a handshake for this path with 426: the same service exists over HTTP. */
export function hasHttpInstead({ path }: Target): boolean {
  return path === RESPONSES;
}

/** Says whether the proxy sends the client over HTTP after this refusal, by a server or by itself. */
export function sendsOverHttp({ status }: Response): boolean {
  return GOES_ON_OVER_HTTP.has(status);
}

/**
 * @param refused the proxy's refusal
 * @param namesModel true if the handshake names its model
 */
export function overHttp(refused: Response, namesModel: boolean): Response {
  const code = errorCodeOf(refused);
  if (!sendsOverHttp(refused) && (namesModel || !BETTER_OVER_HTTP.has(code))) return refused;
  return upgradeRequired(messageOf(refused) ?? "Cannot open the WebSocket");
}

/** @param why the reason why there is no WebSocket: a sentence without its full stop */
export function upgradeRequired(why: string): Response {
  return errorResponse("upgrade_required", `${why}; or send POST ${RESPONSES} over HTTP instead`);
}
