/**
 * Names the state of a server, and gives the reason for it in words for people. Pure. It decides
 * nothing about the server, and does not log.
 */
import type { Present, Sighting } from "../sources/sighting.ts";
import type { Held } from "./plan.ts";

export const SERVER_STATES = [
  /** Its backend takes requests, unless a newer one has the same models and takes them instead. */
  "routed",
  /** It is healthy, and we are asking it for its models. */
  "reading_models",
  /** It runs, and no probe has passed yet. */
  "starting",
  "unhealthy",
  "paused",
  /** Somebody has taken it out. Requests in flight may finish. */
  "drained",
  /** It was told to stop. Requests in flight may finish. */
  "stopping",
  /** Its run has ended, and the engine will start it again. */
  "restarting",
  /** It does not run. */
  "stopped",
  /** It runs, but its setup makes it impossible to route. */
  "ignored",
  /** Its label opts it out. */
  "disabled",
  /** The engine has not told of it yet, or can't tell any more. */
  "unknown",
] as const;

export type ServerState = (typeof SERVER_STATES)[number];

export type Condition = {
  readonly state: ServerState;
  readonly reason: string;
  /**
   * What it comes to, without what changes each time, like numbers. Two conditions of the same gist are
   * the same news. Undefined if state and reason are.
   */
  readonly gist?: string | undefined;
};

/** The gist of each condition of a server that never gets up, whether it is down or starts again. */
export const CRASH_LOOP = "crash loop";

/** What is held of a server: see `Holding`. */
export type Progress = {
  readonly held: Held;
  /** Why the last read of its models failed; undefined if it did not fail. */
  readonly failure: string | undefined;
  /** Why it takes nothing until its models can be read again; undefined if it could always be reached. */
  readonly lost?: string | undefined;
  /** Which entries of its model list could not be taken, and why; undefined if all could be. */
  readonly leftOut?: string | undefined;
  /** The models that it served last. */
  readonly served: readonly unknown[];
};

/** The server was healthy at the last sighting, and has refused a connection since. */
const REFUSING: Condition = {
  state: "unknown",
  reason: "nobody listens at its address any more, and the engine can't be asked what became of it",
};

/** @param isDrained somebody has taken this run out */
export function conditionOf(sighting: Sighting, progress: Progress, isDrained = false): Condition {
  if (sighting.kind === "absent") {
    return { state: sighting.state, reason: sighting.reason, gist: gistOf(sighting) };
  }
  if (sighting.kind === "ignored") return { state: "ignored", reason: sighting.reason };
  const { held } = progress;
  const { seen, doubt = "", remark, trouble, settings } = sighting;
  const named = settings.models === undefined ? undefined : NAMED;
  if (seen === "stopping") {
    return { state: "stopping", reason: "told to stop; requests in flight may finish" };
  }
  if (isDrained) return { state: "drained", reason: drainedReason(sighting.name) };
  if (held === "active") {
    const reason = after(doubt, routedReason(progress, named));
    return { state: "routed", reason: remark === undefined ? reason : `${reason}; ${remark}` };
  }
  if (held === "probing") return probing(doubt, named, progress);
  if (seen === "not healthy" && trouble !== undefined) return trouble;
  if (seen === "routable") return REFUSING;
  return starting(sighting);
}

/** How often it has ended changes each time, and so does how long it has lived. */
function gistOf({
  state,
  outlook,
  end,
}: Extract<Sighting, { readonly kind: "absent" }>): string | undefined {
  if (outlook === "crash loop") return CRASH_LOOP;
  return state === "restarting" ? `restarting ${end?.brief}` : undefined;
}

function starting({ doubt = "", past, isCrashLoop = false }: Present): Condition {
  const state = "starting";
  const waits = after(doubt, "waiting for its health check to pass");
  const reason = past === undefined ? waits : `${waits}; ${past}`;
  return { state, reason, gist: isCrashLoop ? CRASH_LOOP : `${state} ${waits}` };
}

function probing(doubt: string, named: string | undefined, progress: Progress): Condition {
  const state = "reading_models";
  const { failure, lost } = progress;
  if (lost === undefined) {
    return { state, reason: after(doubt, failure ?? named ?? "asked for its models") };
  }
  const until = named === undefined ? "its models can be read" : "it accepts a connection";
  const reason = `${lost}; takes nothing new until ${until}`;
  return { state, reason, gist: LOST }; // why it can't be reached may be another each time
}

const LOST = "can't be reached";

/** An Ollama says so until a model is pulled, and after the last one is removed. */
const NO_MODELS = "healthy, but it has no models yet: its list is empty";

function drainedReason(name: string): string {
  return `taken out by lw-inference-proxy drain; lw-inference-proxy undrain ${name} has it routed again`;
}

const NAMED = "the label inference.models names its models";

function routedReason({ failure, leftOut, served }: Progress, named: string | undefined): string {
  if (failure !== undefined) return `models: ${failure}; keeping those it had`;
  if (named !== undefined) return `healthy; ${named}`;
  if (leftOut !== undefined) return `healthy; ${leftOut}`;
  return served.length > 0 ? "healthy" : NO_MODELS;
}

function after(doubt: string, reason: string): string {
  return doubt === "" ? reason : `${doubt}; ${reason}`;
}
