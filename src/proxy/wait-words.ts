/** What a request is told that has waited in vain. */
import { durationText } from "../ground/duration-text.ts";
import type { Unknown } from "../routing/routes.ts";
import { quoteModel, type Refusal } from "./own/errors.ts";

/** It was never tried, since others waited before it. */
export const NOBODY: Refusal = {
  code: "backend_unavailable",
  message: "Cannot route the request: no server of its model takes it; try again shortly",
};

export const STOPPING: Refusal = {
  code: "backend_unavailable",
  message: "Cannot route the request: the proxy is being stopped; try again shortly",
};

export const TOO_MANY_WAIT: Refusal = {
  code: "proxy_overloaded",
  message:
    "Cannot route the request: too many requests, or bytes of them, wait for their models already; try again shortly",
};

/** Nobody will come. A request that has waited for a model has not asked for one that never was: so this is no 404. */
export function goneRefusal(model: string, { says = "is gone" }: Unknown): Refusal {
  return {
    code: "backend_unavailable",
    message: `Cannot route the request: the server of model ${quoteModel(model)} ${says}, and no other has taken its place`,
  };
}

/** @returns a note for the end of a message */
export function waitedFor(ms: number): string {
  return ` (waited for ${durationText(ms)})`;
}
