/**
 * Reads from a request what matters beside its model: routing looks for the replica that knows its prompt, and
 * forwarding must know whether a second server may get it. Pure.
 */
import { isIdRoute, isInferencePath, isLoraPath, RESPONSES } from "../ground/paths.ts";
import type { Asking } from "../routing/routes.ts";
import { keyOf } from "../routing/run.ts";
import type { ReadTo, Told } from "./body/read-result.ts";
import type { ResponseIds } from "./response-ids.ts";
import type { Target } from "./target.ts";

/** Says how far the proxy reads a body once the model is known. */
export function readTo({ path }: Target, isShared: boolean): ReadTo {
  if (!isShared) return "model";
  return isOfResponses(path) ? "object" : "prompt";
}

export function askingOf({ path }: Target, told: Told, responses: ResponseIds): Asking {
  const { prompt, previousResponseId, hasConversation } = told;
  const goesOn = previousResponseId !== undefined && isOfResponses(path);
  return {
    prompt,
    madeBy: goesOn ? responses.find(previousResponseId) : undefined,
    // Stored objects and loaded adapters exist on one server only.
    goesToNewest: isIdRoute(path) || isLoraPath(path) || (hasConversation && isOfResponses(path)),
  };
}

/**
 * Says whether a second server may get a request after the first one may have worked on it.
 *
 * @param wasRead the body was read as far as `readTo` says for a shared model, so `told` is complete
 */
export function mayRepeat(
  { method }: { readonly method: string },
  { path }: Target,
  { told: { mayBeBackground }, wasRead }: { readonly told: Told; readonly wasRead: boolean },
): boolean {
  const isBackground = path === RESPONSES && (mayBeBackground || !wasRead);
  return method === "POST" && isInferencePath(path) && !isBackground;
}

/**
 * Names the lane of a request. Requests that use the same name of a model and may go to the same servers share a lane.
 * The text is short: a model's name may be long, and thousands of requests may wait.
 */
export function laneOf(model: string, { madeBy, goesToNewest = false }: Asking): string {
  const pin = madeBy === undefined ? goesToNewest : `${keyOf(madeBy)} ${madeBy.startedAtMs}`;
  return `${pin} ${Bun.hash(model)}`;
}

function isOfResponses(path: string): boolean {
  return path === RESPONSES || path.startsWith(`${RESPONSES}/`);
}
