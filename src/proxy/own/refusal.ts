/** What the proxy refuses before it reads a body: methods, paths, encodings, and for want of room. */
import { climbs } from "../../ground/dot-segments.ts";
import { upgradeRequired } from "../handshake.ts";
import type { Target } from "../target.ts";
import { baseUrlMistake } from "./base-url.ts";
import { errorResponse, outOfDescriptors } from "./errors.ts";

/** Refuses a request whatever its path, or for what is hidden in it. */
export function refusal(request: Request, target: Target): Response | undefined {
  const { method } = request;
  const { path } = target;
  if (method === "CONNECT" || method === "TRACE") {
    return errorResponse(
      "method_not_allowed",
      `Cannot serve the request: ${method} is not supported`,
    );
  }
  const lost = lostHandshake(request, target);
  if (lost !== undefined) return lost;
  if (climbs(path)) {
    return errorResponse(
      "invalid_path",
      'Cannot route the request: the path has a ".." segment in it',
    );
  }
  return undefined;
}

/**
 * Refuses a handshake for responses whose base URL is mistyped. Its client goes on over HTTP: see `handshake.ts`.
 * A 404 it would try again and again.
 */
function lostHandshake({ headers }: Request, { path }: Target): Response | undefined {
  // A proxy in front that passes on no upgrades still passes on the key (RFC 6455 §4.1).
  if (!path.endsWith("/responses") || !headers.has("sec-websocket-key")) return undefined;
  const mistake = baseUrlMistake(path);
  if (mistake === undefined) return undefined;
  return upgradeRequired(`Cannot open the WebSocket: ${mistake}`);
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
