/** What is refused whatever the path. */
import { climbs } from "../../ground/dot-segments.ts";
import type { Target } from "../target.ts";
import { errorResponse } from "./errors.ts";

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
