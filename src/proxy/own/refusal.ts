/** What the proxy refuses before it reads a body: methods, upgrades, paths, encodings, and for want of room. */
import { climbs } from "../../ground/dot-segments.ts";
import { RESPONSES } from "../../ground/paths.ts";
import type { Target } from "../target.ts";
import { baseUrlMistake } from "./base-url.ts";
import { errorResponse, outOfDescriptors } from "./errors.ts";

/** Refuses a request whatever its path, or for what is hidden in it. */
export function refusal({ method, headers }: Request, { path }: Target): Response | undefined {
  if (method === "CONNECT" || method === "TRACE") {
    return errorResponse(
      "method_not_allowed",
      `Cannot serve the request: ${method} is not supported`,
    );
  }
  const noWebSocket = webSocketRefusal(headers, path);
  if (noWebSocket !== undefined) return noWebSocket;
  if (climbs(path)) {
    return errorResponse(
      "invalid_path",
      'Cannot route the request: the path has a ".." segment in it',
    );
  }
  return undefined;
}

/**
 * Codex tries a WebSocket for its responses at every start. After a 426 it goes on over HTTP at once; a 404, 405 or
 * 501 it tries again for 7 s, and after a 400 it gives up (measured, 0.171).
 */
function webSocketRefusal(headers: Headers, path: string): Response | undefined {
  const isUpgrade = headers.get("upgrade")?.toLowerCase().includes("websocket") === true;
  // A proxy in front that passes on no upgrades, as nginx by itself, still passes on the key (RFC 6455 §4.1).
  if (isOfResponses(path) && (isUpgrade || headers.has("sec-websocket-key"))) {
    return errorResponse(
      "upgrade_required",
      `Cannot serve the request: WebSockets are not supported; send POST ${RESPONSES} over HTTP instead`,
    );
  }
  return isUpgrade
    ? errorResponse("upgrade_unsupported", "Cannot serve the request: WebSockets are not supported")
    : undefined;
}

/** Also where the base URL is mistyped: only the POST that follows is told so in words. */
function isOfResponses(path: string): boolean {
  return path === RESPONSES || (path.endsWith("/responses") && baseUrlMistake(path) !== undefined);
}

/**
 * Refuses a request whose body can't be read, or for which there is no room.
 *
 * @param hasRoom says whether there is room for one more, and counts it in if there is
 */
export function unreadable(
  request: Request,
  hasRoom: (() => boolean) | undefined,
): Response | undefined {
  const encoding = request.headers.get("content-encoding");
  // Looks at the body last: Bun makes a stream of it then, which costs more to read.
  if (encoding && encoding.toLowerCase() !== "identity" && request.body !== null) {
    return errorResponse(
      "unsupported_encoding",
      "Cannot read the model of the request: its body is encoded; send it without Content-Encoding",
    );
  }
  return hasRoom?.() === false ? outOfDescriptors("route") : undefined;
}
