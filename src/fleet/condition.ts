/**
 * Names the state of a server and gives the reason in words for operators. Pure. It decides nothing
 * about the server, and does not log.
 */
import type { Present, Sighting } from "../sources/sighting.ts";
import type { Held } from "./plan.ts";

export const SERVER_STATES = [
  /** It is active. A newer backend with the same models may get the requests instead. */
  "routed",
  /** It is healthy, and the proxy is reading its model list. */
  "reading_models",
  /** It runs, and no health check has passed yet. */
  "starting",
  "unhealthy",
  "paused",
  /** An operator has drained it. Requests in flight may finish. */
  "drained",
  /** It was told to stop. Requests in flight may finish. */
  "stopping",
  /** Its run has ended, and the engine will start it again. */
  "restarting",
  /** It does not run. */
  "stopped",
  /** It runs, but the proxy cannot route it as it is set up. */
  "ignored",
  /** Its label opts it out. */
  "disabled",
  /** The engine has not reported it yet, or no longer answers. */
  "unknown",
] as const;

export type ServerState = (typeof SERVER_STATES)[number];

export type Condition = {
  readonly state: ServerState;
  readonly reason: string;
  /**
   * The state and reason without the details that change each time, like numbers. Two conditions with the
   * same gist are the same news. If undefined, state and reason together are the gist.
   */
  readonly gist?: string | undefined;
};

/** The gist of each condition of a server in a crash loop, while it is down and while it starts again. */
export const CRASH_LOOP = "crash loop";

/** The part of `Holding` that the reason needs. */
export type Progress = {
  readonly held: Held;
  /** Why the last read of its models failed. Undefined if it did not fail. */
  readonly failure: string | undefined;
  /** Why it gets no requests until its models can be read again. Undefined if the proxy could always reach it. */
  readonly lost?: string | undefined;
  /** Which entries of its model list the proxy could not use, and why. Undefined if it could use all. */
  readonly leftOut?: string | undefined;
  /** The models that it served last. */
  readonly served: readonly unknown[];
};

/** The server was healthy at the last sighting, and has refused a connection since. */
const REFUSING: Condition = {
  state: "unknown",
  reason: "it refuses connections, and the engine does not answer: the container may have ended",
};

/** @param isDrained an operator has drained this run */
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

/** Leaves out how often it has ended and how long it has lived, because these change each time. */
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
    return {
      state,
      reason: after(doubt, failure ?? named ?? "the proxy is reading its model list"),
    };
  }
  const until =
    named === undefined ? "the proxy can read its model list" : "it accepts a connection";
  const reason = `${lost}; it gets no new requests until ${until}`;
  return { state, reason, gist: LOST }; // the cause may differ each time
}

const LOST = "cannot be reached";

/** The list of an Ollama is empty until a model is pulled, and after the last one is removed. */
const NO_MODELS = "healthy, but its model list is empty: it has no models yet";

function drainedReason(name: string): string {
  return `drained by an operator; to route it again, run lw-inference-proxy undrain ${name}`;
}

const NAMED = "the label inference.models names its models";

function routedReason({ failure, leftOut, served }: Progress, named: string | undefined): string {
  if (failure !== undefined)
    return `cannot read its model list: ${failure}; the proxy keeps the last one`;
  if (named !== undefined) return `healthy; ${named}`;
  if (leftOut !== undefined) return `healthy; ${leftOut}`;
  return served.length > 0 ? "healthy" : NO_MODELS;
}

function after(doubt: string, reason: string): string {
  return doubt === "" ? reason : `${doubt}; ${reason}`;
}
