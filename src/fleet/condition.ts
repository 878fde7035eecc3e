/** What a container's state is called, and why it is in it, in words for people. Pure. */
import type { Container } from "../engine/container.ts";
import type { Observation } from "../sources/docker/observe.ts";
import type { Held } from "./plan.ts";

export const CONTAINER_STATES = [
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

export type ContainerState = (typeof CONTAINER_STATES)[number];

export type Condition = { readonly state: ContainerState; readonly reason: string };

/** What is held of it: see `TrackedContainer`. */
export type Progress = {
  readonly held: Held;
  /** Why its models could not be read, if that was so the last time. */
  readonly failure: string | undefined;
  /** What of its list of models could not be taken, and why. */
  readonly leftOut?: string | undefined;
  /** Ids of the models it served last. */
  readonly served: readonly string[];
};

/** Said of a run that an event has ended, until the engine has been asked what came of it. */
export const ENDED: Condition = { state: "stopped", reason: "its process has ended" };

/** Healthy when it was seen last; see `TrackedContainer`. */
const REFUSING: Condition = {
  state: "unknown",
  reason: "nobody listens at its address any more, and the engine can't be asked what became of it",
};

export function conditionOf(observation: Observation, progress: Progress): Condition {
  if (observation.kind === "absent") return observation.condition;
  if (observation.kind === "ignored") return { state: "ignored", reason: observation.reason };
  const { held, failure } = progress;
  const { seen, run } = observation;
  const { doubt = "" } = run;
  if (seen === "stopping") {
    return { state: "stopping", reason: "told to stop; requests in flight may finish" };
  }
  if (held === "active") {
    return { state: "routed", reason: after(doubt, routedReason(progress)) };
  }
  if (held === "probing") {
    return { state: "reading_models", reason: after(doubt, failure ?? "asked for its models") };
  }
  if (seen === "not healthy") return observation.condition;
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

/** The container runs, and its last probe has failed; or it is paused. */
export function notHealthy({ status, probeOutput }: Container): Condition {
  return status === "paused"
    ? { state: "paused", reason: "paused; docker unpause has it routed again" }
    : {
        state: "unhealthy",
        reason: `its health check fails: ${probeOutput || "it prints nothing"}`,
      };
}

/** The container does not run. */
export function notRunning(container: Container): Condition {
  const { status, exitCode, outOfMemory, startError } = container;
  const ended = outOfMemory
    ? `it ran out of memory (exit code ${exitCode})`
    : `exited with code ${exitCode}`;
  switch (status) {
    case "restarting":
      return { state: "restarting", reason: `${ended}; the engine starts it again` };
    case "created":
      return {
        state: "stopped",
        reason: startError === "" ? "never started" : `could not be started: ${startError}`,
      };
    case "exited":
      return { state: "stopped", reason: startError === "" ? ended : `${ended}: ${startError}` };
    case "removing":
      return { state: "stopped", reason: "being removed" };
    default:
      return { state: "stopped", reason: `the engine calls it "${status}"` };
  }
}
