/** The error messages for requests that waited in vain. */
import { durationText } from "../ground/duration-text.ts";
import type { Unknown } from "../routing/routes.ts";
import { quoteModel, type Refusal } from "./own/errors.ts";

/** The request was never tried, because others waited before it. */
export const NOBODY: Refusal = {
  code: "backend_unavailable",
  message: "Cannot route the request: no server of its model can take it now; try again shortly",
};

export const STOPPING: Refusal = {
  code: "backend_unavailable",
  message: "Cannot route the request: the proxy is being stopped; try again shortly",
};

export const TOO_MANY_WAIT: Refusal = {
  code: "proxy_overloaded",
  message:
    "Cannot route the request: too many requests wait already, or their bodies take too much memory; try again shortly",
};

/** No server will come. This is no 404, because the model existed when the request began to wait. */
export function goneRefusal(model: string, { says = "is gone" }: Unknown): Refusal {
  return {
    code: "backend_unavailable",
    message: `Cannot route the request: the server of model ${quoteModel(model)} ${says}, and no server with this model has taken its place; start one, or ask for another model`,
  };
}

/** @returns the end of a message */
export function waitedFor(ms: number): string {
  return ` (waited for ${durationText(ms)})`;
}
