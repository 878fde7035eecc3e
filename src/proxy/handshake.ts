/**
 * What clients ask for who want a WebSocket (RFC 6455 §4.2.1): which requests are such handshakes, which of them are
 * refused before a server is asked, and what those are told that can go on over HTTP. Opens nothing.
 */
import { PUBLIC_PREFIX, RESPONSES } from "../ground/paths.ts";
import { type ErrorCode, errorCodeOf, errorResponse, messageOf } from "./own/errors.ts";
import type { Target } from "./target.ts";

/** The only version that there is (RFC 6455 §4.1). */
const VERSION = "13";
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Says whether a request is a handshake for a server. Elsewhere `Upgrade` may be ignored (RFC 9110 §7.8). */
export function isHandshake({ method, headers }: Request, { path }: Target): boolean {
  if (method !== "GET" || !path.startsWith(`${PUBLIC_PREFIX}/`)) return false;
  return says(headers.get("upgrade"), "websocket") && says(headers.get("connection"), "upgrade");
}

/** Bun upgrades nobody whose `Upgrade` has the word only inside of another one (measured, 1.4.5). */
function says(list: string | null, word: string): boolean {
  return list?.split(",").some((item) => item.trim().toLowerCase() === word) === true;
}

/** Refuses a handshake that can't become a WebSocket, or not one that can be trusted. */
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
      `Cannot open the WebSocket: its version must be ${VERSION} (Sec-WebSocket-Version)`,
    );
    response.headers.set("sec-websocket-version", VERSION); // RFC 6455 §4.4
    response.headers.set("upgrade", "websocket");
    return response;
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return invalid("its Sec-WebSocket-Key must be 16 bytes in base64");
  }
  // The bytes of a body would be taken for frames (measured, Bun 1.4.5).
  const length = headers.get("content-length") ?? "0";
  if (headers.has("transfer-encoding") || length !== "0") return invalid("it must have no body");
  return undefined;
}

/** A proxy in front that passes on no upgrades, as nginx by itself, still passes on the key (RFC 6455 §4.1). */
function lacksUpgrade({ method, headers }: Request): boolean {
  return method === "GET" && headers.has("sec-websocket-key");
}

function withoutUpgrade(target: Target): Response {
  const why =
    'Cannot open the WebSocket: it lacks "Connection: Upgrade" or "Upgrade: websocket"; a proxy in front of this one may have dropped them';
  return hasHttpInstead(target) ? upgradeRequired(why) : errorResponse("upgrade_required", why);
}

function invalid(reason: string): Response {
  return errorResponse("invalid_handshake", `Cannot open the WebSocket: ${reason}`);
}

/**
 * Codex tries a WebSocket for its responses at every start. After a 426 it goes on over HTTP at once; a 403, 404, 405
 * or 501 it tries again for 7 s, and after a 400 it gives up (measured, 0.171).
 */
const GOES_ON_OVER_HTTP: ReadonlySet<number> = new Set([400, 403, 404, 405, 501]);

/** A request over HTTP names its model: it may do better than a handshake that names none. */
const BETTER_OVER_HTTP: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  "starting",
  "backend_unavailable",
]);

/** Says whether a handshake there can be answered by 426: its client has the same over HTTP. */
export function hasHttpInstead({ path }: Target): boolean {
  return path === RESPONSES;
}

/** Says whether the refusal of a server, or of ours, sends its client over HTTP. */
export function sendsOverHttp({ status }: Response): boolean {
  return GOES_ON_OVER_HTTP.has(status);
}

/**
 * @param refused what the proxy would answer
 * @param namesModel the handshake names its model
 */
export function overHttp(refused: Response, namesModel: boolean): Response {
  const code = errorCodeOf(refused);
  if (!sendsOverHttp(refused) && (namesModel || !BETTER_OVER_HTTP.has(code))) return refused;
  return upgradeRequired(messageOf(refused) ?? "Cannot open the WebSocket");
}

/** @param why the WebSocket can't be had, as a sentence without its full stop */
export function upgradeRequired(why: string): Response {
  return errorResponse("upgrade_required", `${why}; or send POST ${RESPONSES} over HTTP instead`);
}
