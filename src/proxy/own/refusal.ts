/** Refuses requests before their body is read: for their method, path or encoding, or because there is no room. */
import { climbs } from "../../ground/dot-segments.ts";
import { upgradeRequired } from "../handshake.ts";
import type { Target } from "../target.ts";
import { baseUrlMistake } from "./base-url.ts";
import { errorResponse, outOfDescriptors } from "./errors.ts";

/** Refuses a request for its method, a lost handshake, or a ".." segment in its path. */
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
      'Cannot route the request: the path has a ".." segment; remove it',
    );
  }
  return undefined;
}

/**
 * Refuses a WebSocket handshake for responses if the base URL is mistyped. The client then continues over HTTP: see
 * `handshake.ts`. It would retry a 404 again and again.
 */
function lostHandshake({ headers }: Request, { path }: Target): Response | undefined {
  // A front proxy that does not pass on upgrades still passes on the key (RFC 6455 §4.1).
  if (!path.endsWith("/responses") || !headers.has("sec-websocket-key")) return undefined;
  const mistake = baseUrlMistake(path);
  if (mistake === undefined) return undefined;
  return upgradeRequired(`Cannot open the WebSocket: ${mistake}`);
}

/**
 * Refuses a request if the proxy cannot read its body, or if there is no room.
 *
 * @param hasRoom tells whether there is room for one more request, and counts it in if there is
 */
export function unreadable(
  request: Request,
  hasRoom: (() => boolean) | undefined,
): Response | undefined {
  const encoding = request.headers.get("content-encoding");
  // Reads `request.body` last: Bun then turns the body into a stream, which costs more to read.
  if (encoding && encoding.toLowerCase() !== "identity" && request.body !== null) {
    return errorResponse(
      "unsupported_encoding",
      "Cannot read the model of the request: its body is encoded; send it without Content-Encoding",
    );
  }
  return hasRoom?.() === false ? outOfDescriptors("route") : undefined;
}
