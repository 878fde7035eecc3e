/**
 * The state machine of one server in one screen: what is held × what is seen → a step. Pure. A step says what
 * becomes of the run that is held, of its backends, of the reading of its models and of the deadline; nothing
 * changes any of these but a step. holding.ts carries steps out; a source decides how healthy a server is seen.
 */

import { isSameRun, type Run } from "../routing/run.ts";
import type { Health, Sighting } from "../sources/sighting.ts";

/** `draining after notice`: a stop notice was seen in this run, whatever became of it. */
export type Held = "unknown" | "probing" | "active" | "draining" | "draining after notice";

export type Seen =
  | Health
  /** The run is over, or nothing is to be routed. */
  | "absent"
  /** Another run than the one that is held: that one is over. Or the first one. */
  | "another run"
  /** The run has another address; what is in flight still reaches it at the old one. */
  | "moved"
  /** The way to the run has changed so that nothing in flight will ever arrive. */
  | "cut off"
  /** Nobody listens at its address, and its source can't say what became of it. */
  | "refused"
  | "models read"
  | "read failed";

export type Step = {
  /** The run that is held. `take`: the one that is seen, from its beginning. `move`: the same, elsewhere. */
  readonly run: "keep" | "take" | "move" | "forget";
  /**
   * `admit`: a new backend takes requests; those that drain leave when they are idle. `drain`: the active one
   * takes no new requests. `remove`: all leave at once, draining or not.
   */
  readonly backends: "keep" | "admit" | "replace models" | "drain" | "remove";
  /** Of the models, again and again. */
  readonly reading: "keep" | "start" | "stop";
  /** `set`: every draining backend that has no deadline gets one, and the run has had its notice. */
  readonly deadline: "keep" | "set";
};

const KEEP: Step = { run: "keep", backends: "keep", reading: "keep", deadline: "keep" };
const PROBE: Step = { ...KEEP, reading: "start" };
const STOP_PROBING: Step = { ...KEEP, reading: "stop" };
const ADMIT: Step = { ...KEEP, backends: "admit" };
/** At once, with the models it had: a new backend beside the old one. */
const READMIT: Step = { ...KEEP, backends: "admit", reading: "start" };
const REPLACE_MODELS: Step = { ...KEEP, backends: "replace models" };
/** Without a deadline: the process lives, and requests in flight may finish. */
const DRAIN: Step = { ...KEEP, backends: "drain", reading: "stop" };
const DRAIN_BY_DEADLINE: Step = { ...DRAIN, deadline: "set" };
const STOP_PROBING_BY_DEADLINE: Step = { ...STOP_PROBING, deadline: "set" };
const SET_DEADLINE: Step = { ...KEEP, deadline: "set" };

/** What is done whatever is held. */
const ALWAYS = {
  absent: { run: "forget", backends: "remove", reading: "stop", deadline: "keep" },
  "another run": { run: "take", backends: "remove", reading: "stop", deadline: "keep" },
  "cut off": { run: "take", backends: "remove", reading: "stop", deadline: "keep" },
  moved: { run: "move", backends: "drain", reading: "stop", deadline: "keep" },
} as const satisfies Partial<Record<Seen, Step>>;

const STEPS: Readonly<Record<Held, Readonly<Record<Seen, Step>>>> = {
  unknown: {
    ...ALWAYS,
    routable: PROBE,
    stopping: SET_DEADLINE,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
  probing: {
    ...ALWAYS,
    routable: KEEP,
    stopping: STOP_PROBING_BY_DEADLINE,
    "not healthy": STOP_PROBING,
    starting: STOP_PROBING,
    refused: KEEP,
    "models read": ADMIT,
    "read failed": KEEP,
  },
  active: {
    ...ALWAYS,
    routable: KEEP,
    stopping: DRAIN_BY_DEADLINE,
    "not healthy": DRAIN,
    // Docker 26 forgets health for a probe interval when a daemon with live-restore comes back.
    starting: KEEP,
    refused: DRAIN,
    "models read": REPLACE_MODELS,
    "read failed": KEEP,
  },
  draining: {
    ...ALWAYS,
    routable: READMIT,
    stopping: SET_DEADLINE,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
  "draining after notice": {
    ...ALWAYS,
    routable: PROBE,
    stopping: SET_DEADLINE,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
};

export function plan(held: Held, seen: Seen): Step {
  return STEPS[held][seen];
}

/** A run and the way to it, as they were seen when they were taken. */
export type Place = {
  readonly run: Run;
  readonly origin: string;
  readonly basePath: string;
  /** Why it may well not be reachable there. */
  readonly doubt?: string | undefined;
};

/** What a sighting says of a server, one after the other: first of the run that is held, then of itself. */
export function seenIn(sighting: Sighting, place: Place | undefined, held: Held): readonly Seen[] {
  if (sighting.kind !== "present") return ["absent"];
  const { run, origin, origins, doubt, seen } = sighting;
  if (place === undefined || !isSameRun(place.run, run)) return ["another run", seen];
  if (place.origin !== origin) return [origins.includes(place.origin) ? "moved" : "cut off", seen];
  return isCutOff(place.doubt, doubt, held) ? ["cut off", seen] : [seen];
}

/**
 * Whether the server or the proxy has left the network between them, or has joined it while the models are
 * still asked for. Nothing ends a connection whose network is gone: whoever waits on one would wait for ever.
 */
function isCutOff(before: string | undefined, now: string | undefined, held: Held): boolean {
  const isDoubted = now !== undefined;
  return (before !== undefined) !== isDoubted && (isDoubted || held === "probing");
}
