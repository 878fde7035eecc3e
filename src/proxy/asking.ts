/**
 * What a request says beside its model: to routing, so that it reaches the replica that knows it, and to
 * forwarding, whether a second server may get it. Pure.
 */
import { isIdRoute, isInferencePath, isLoraPath, RESPONSES } from "../ground/paths.ts";
import type { Asking } from "../routing/routes.ts";
import { keyOf } from "../routing/run.ts";
import type { ReadTo, Told } from "./body/read-result.ts";
import type { ResponseIds } from "./response-ids.ts";
import type { Target } from "./target.ts";

/** Says how far a body is read once its model is known. */
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
    // What a server keeps is only there, and so are the adapters that it has loaded.
    goesToNewest: isIdRoute(path) || isLoraPath(path) || (hasConversation && isOfResponses(path)),
  };
}

/**
 * Says whether a second server may get a request that the first may have worked on.
 *
 * @param wasRead the body was read as far as `readTo` says for a shared model: so it is known what it tells
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
 * Those that ask for one model by the same name, and may go to the same servers, are in one lane. A text of its own for
 * each, and a short one: a name may be long, and thousands may wait.
 */
export function laneOf(model: string, { madeBy, goesToNewest = false }: Asking): string {
  const pin = madeBy === undefined ? goesToNewest : `${keyOf(madeBy)} ${madeBy.startedAtMs}`;
  return `${pin} ${Bun.hash(model)}`;
}

function isOfResponses(path: string): boolean {
  return path === RESPONSES || path.startsWith(`${RESPONSES}/`);
}
