/** What the state of a server is called, and why it is in it, in a person's words. Pure. */
import type { Sighting } from "../sources/sighting.ts";
import type { Held } from "./plan.ts";

export const SERVER_STATES = [
  /** Its models are served by it, or would be if no newer container had them too. */
  "routed",
  /** Healthy, and being asked for its models. */
  "reading_models",
  /** It runs, and no probe has passed yet. */
  "starting",
  "unhealthy",
  "paused",
  /** It was told to stop; requests in flight may finish. */
  "stopping",
  /** Its run has ended, and the engine will start it again. */
  "restarting",
  /** It does not run. */
  "stopped",
  /** It runs, but as it is set up it can't be routed. */
  "ignored",
  /** Opted out by its label. */
  "disabled",
  /** The engine has not told of it, or can't tell any more. */
  "unknown",
] as const;

export type ServerState = (typeof SERVER_STATES)[number];

export type Condition = { readonly state: ServerState; readonly reason: string };

/** What is held of it: see `Holding`. */
export type Progress = {
  readonly held: Held;
  /** Why its models could not be read, if that was so the last time. */
  readonly failure: string | undefined;
  /** What of its list of models could not be taken, and why. */
  readonly leftOut?: string | undefined;
  /** Ids of the models it served last. */
  readonly served: readonly string[];
};

/** It was healthy when it was seen last, and then a connection was refused. */
const REFUSING: Condition = {
  state: "unknown",
  reason: "nobody listens at its address any more, and the engine can't be asked what became of it",
};

export function conditionOf(sighting: Sighting, progress: Progress): Condition {
  if (sighting.kind === "absent") return { state: sighting.state, reason: sighting.reason };
  if (sighting.kind === "ignored") return { state: "ignored", reason: sighting.reason };
  const { held, failure } = progress;
  const { seen, doubt = "", trouble } = sighting;
  if (seen === "stopping") {
    return { state: "stopping", reason: "told to stop; requests in flight may finish" };
  }
  if (held === "active") {
    return { state: "routed", reason: after(doubt, routedReason(progress)) };
  }
  if (held === "probing") {
    return { state: "reading_models", reason: after(doubt, failure ?? "asked for its models") };
  }
  if (seen === "not healthy" && trouble !== undefined) return trouble;
  if (seen === "routable") return REFUSING;
  return { state: "starting", reason: after(doubt, "waiting for its health check to pass") };
}

function routedReason({ failure, leftOut, served }: Progress): string {
  if (failure !== undefined) return `models: ${failure}; keeping those it had`;
  if (leftOut !== undefined) return `healthy; ${leftOut}`;
  return served.length > 0 ? "healthy" : "healthy, but its list of models is empty";
}

function after(doubt: string, reason: string): string {
  return doubt === "" ? reason : `${doubt}; ${reason}`;
}
