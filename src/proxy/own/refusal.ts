/** What is refused whatever the path, and what can't be read. */
import { climbs } from "../../ground/dot-segments.ts";
import type { Target } from "../target.ts";
import { errorResponse, outOfDescriptors } from "./errors.ts";

export function refusal({ method, headers }: Request, { path }: Target): Response | undefined {
  if (method === "CONNECT" || method === "TRACE") {
    return errorResponse(
      "method_not_allowed",
      `Cannot serve the request: ${method} is not supported`,
    );
  }
  if (headers.get("upgrade")?.toLowerCase().includes("websocket")) {
    return errorResponse(
      "upgrade_unsupported",
      "Cannot serve the request: WebSockets are not supported",
    );
  }
  if (climbs(path)) {
    return errorResponse(
      "invalid_path",
      'Cannot route the request: the path has a ".." segment in it',
    );
  }
  return undefined;
}

/** @param hasRoom counts the request in, if there is room for one more */
export function unreadable(
  request: Request,
  hasRoom: (() => boolean) | undefined,
): Response | undefined {
  const encoding = request.headers.get("content-encoding");
  // The body last: asked for, it is made a stream, and no longer read as cheaply as it can be.
  if (encoding && encoding.toLowerCase() !== "identity" && request.body !== null) {
    return errorResponse(
      "unsupported_encoding",
      "Cannot read the model of the request: its body is encoded; send it without Content-Encoding",
    );
  }
  return hasRoom?.() === false ? outOfDescriptors("route") : undefined;
}
