/**
 * The state machine of one server, on one screen: what is held and what is seen give a step. Pure.
 * A step says what becomes of the run that is held, of its backends, of the reading of its models
 * and of the deadline. Only steps change these. holding.ts carries steps out. The source decides
 * how healthy a server is.
 */

import type { Unreachable } from "../routing/backend.ts";
import { isSameRun, type Run, type RunEnd } from "../routing/run.ts";
import type { Health, ServerSettings, Sighting } from "../sources/sighting.ts";

/**
 * `draining after notice`: this run has had a stop notice, even if that has lapsed, or could not be reached. So its models
 * are read before it takes requests again.
 */
export type Held = "unknown" | "probing" | "active" | "draining" | "draining after notice";

export type Seen =
  | Health
  /** Somebody has taken the run out, and it was not told to stop. It counts before all other health. */
  | "drained"
  /** Somebody has taken that back. */
  | "undrained"
  /** The run is over, or the server is not to be routed. */
  | "absent"
  /** A new run, so the run that is held is over. Or the first run at all. */
  | "another run"
  /** The run has another address. Requests in flight still reach it at the old one. */
  | "moved"
  /** Its source says something else of how it takes requests: with whom it shares them, or how many. */
  | "other settings"
  /** The way to the run has changed, and no answer to the requests in flight will ever arrive. */
  | "cut off"
  /** Nothing listens at the address, and the source can't say why. */
  | "refused"
  /** No connection to it can be made, and its machine may have gone without a word. */
  | "unreachable"
  | "models read"
  | "read failed";

export type Step = {
  /**
   * What becomes of the run that is held. `take`: the run that is seen is held from now on, and
   * nothing is known of it yet. `move`: the same run is held, at its new place. `forget`: no run is
   * held.
   */
  readonly run: "keep" | "take" | "move" | "forget";
  /**
   * `admit`: a new backend takes requests; draining ones leave when they are idle. `replace
   * models`: the active one gets the models that were read. `set anew`: another one with the same models takes the place
   * of the active one, which drains. `drain`: the active one takes no new
   * requests. `remove`: all leave at once, draining or not.
   */
  readonly backends: "keep" | "admit" | "replace models" | "set anew" | "drain" | "remove";
  /**
   * What becomes of the reading of the models, which repeats itself until it is stopped. `seek`: one starts that tries
   * every second, since the server was routed a moment ago.
   */
  readonly reading: "keep" | "start" | "seek" | "stop";
  /**
   * `set`: each draining backend without a deadline gets one, and the run has had its notice. `set for endless`: only
   * their requests that may never end by themselves get one. `lift for endless`: takes that back.
   */
  readonly deadline: "keep" | "set" | "set for endless" | "lift for endless";
};

const KEEP: Step = { run: "keep", backends: "keep", reading: "keep", deadline: "keep" };
const PROBE: Step = { ...KEEP, reading: "start" };
const STOP_PROBING: Step = { ...KEEP, reading: "stop" };
const ADMIT: Step = { ...KEEP, backends: "admit" };
/** Admits at once, with the models that the run had: a new backend beside the old one. */
const READMIT: Step = { ...KEEP, backends: "admit", reading: "start" };
const REPLACE_MODELS: Step = { ...KEEP, backends: "replace models" };
/** Sets no deadline: the process lives, and requests in flight may finish. */
const DRAIN: Step = { ...KEEP, backends: "drain", reading: "stop" };
/** It is admitted again once its models can be read. */
const DRAIN_AND_SEEK: Step = { ...KEEP, backends: "drain", reading: "seek" };
const DRAIN_BY_DEADLINE: Step = { ...DRAIN, deadline: "set" };
const STOP_PROBING_BY_DEADLINE: Step = { ...STOP_PROBING, deadline: "set" };
const SET_DEADLINE: Step = { ...KEEP, deadline: "set" };
/** Who takes a server out does not want to wait for ever: WebSockets are open for hours. */
const BY_HAND = { deadline: "set for endless" } as const satisfies Partial<Step>;
const SET_DEADLINE_BY_HAND: Step = { ...KEEP, ...BY_HAND };

/** The steps that are the same whatever is held. */
const ALWAYS = {
  absent: { run: "forget", backends: "remove", reading: "stop", deadline: "keep" },
  "another run": { run: "take", backends: "remove", reading: "stop", deadline: "keep" },
  "cut off": { run: "take", backends: "remove", reading: "stop", deadline: "keep" },
  moved: { run: "move", backends: "drain", reading: "stop", deadline: "keep" },
  "other settings": { ...KEEP, run: "move" },
  undrained: { ...KEEP, deadline: "lift for endless" },
} as const satisfies Partial<Record<Seen, Step>>;

const STEPS: Readonly<Record<Held, Readonly<Record<Seen, Step>>>> = {
  unknown: {
    ...ALWAYS,
    routable: PROBE,
    stopping: SET_DEADLINE,
    drained: SET_DEADLINE_BY_HAND,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    unreachable: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
  probing: {
    ...ALWAYS,
    routable: KEEP,
    stopping: STOP_PROBING_BY_DEADLINE,
    drained: { ...STOP_PROBING, ...BY_HAND },
    "not healthy": STOP_PROBING,
    starting: STOP_PROBING,
    refused: KEEP,
    unreachable: KEEP,
    "models read": ADMIT,
    "read failed": KEEP,
  },
  active: {
    ...ALWAYS,
    "other settings": { ...KEEP, run: "move", backends: "set anew" },
    routable: KEEP,
    stopping: DRAIN_BY_DEADLINE,
    drained: { ...DRAIN, ...BY_HAND },
    "not healthy": DRAIN,
    // Docker 26 forgets health for one probe interval when a daemon with live-restore comes back.
    starting: KEEP,
    refused: DRAIN,
    unreachable: DRAIN_AND_SEEK,
    "models read": REPLACE_MODELS,
    "read failed": KEEP,
  },
  draining: {
    ...ALWAYS,
    routable: READMIT,
    stopping: SET_DEADLINE,
    drained: SET_DEADLINE_BY_HAND,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    unreachable: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
  "draining after notice": {
    ...ALWAYS,
    routable: PROBE,
    stopping: SET_DEADLINE,
    drained: SET_DEADLINE_BY_HAND,
    "not healthy": KEEP,
    starting: KEEP,
    refused: KEEP,
    unreachable: KEEP,
    "models read": KEEP,
    "read failed": KEEP,
  },
};

/** Its source does not know how. */
const ENDED: RunEnd = { kind: "unknown", brief: "has ended", reason: "has ended" };

export function plan(held: Held, seen: Seen): Step {
  return STEPS[held][seen];
}

/** A run and the way to it, as they were when the run was taken. */
export type Place = {
  readonly run: Run;
  readonly origin: string;
  readonly basePath: string;
  /** See `ServerSettings`. */
  readonly named?: readonly string[] | undefined;
  /** These two: see `ServerSettings`. */
  readonly shares?: string | undefined;
  readonly maxInFlight?: number | undefined;
  /** See `Present`. */
  readonly mayVanish?: boolean | undefined;
  /** Why `origin` may not reach the run. */
  readonly doubt?: string | undefined;
};

/** @returns undefined if the server has no run to hold */
export function placeOf(sighting: Sighting): Place | undefined {
  if (sighting.kind !== "present") return undefined;
  const { run, origin, doubt, mayVanish, settings } = sighting;
  const { basePath, models: named, shares, maxInFlight } = settings;
  return { run, origin, basePath, named, shares, maxInFlight, mayVanish, doubt };
}

/**
 * What a sighting says of a server, in the order to act on: first about the run that is held, then
 * about the server itself.
 *
 * @param isDrained somebody has taken this run out
 */
export function seenIn(
  sighting: Sighting,
  place: Place | undefined,
  held: Held,
  isDrained: boolean,
): readonly Seen[] {
  if (sighting.kind !== "present") return ["absent"];
  const { run, origin, origins, doubt } = sighting;
  const seen = isDrained && sighting.seen !== "stopping" ? "drained" : sighting.seen;
  if (place === undefined || !isSameRun(place.run, run)) return ["another run", seen];
  if (place.origin !== origin) return [origins.includes(place.origin) ? "moved" : "cut off", seen];
  if (isCutOff(place.doubt, doubt, held)) return ["cut off", seen];
  const change = changeOfSettings(place, sighting.settings);
  return change === undefined ? [seen] : [change, seen];
}

/** The labels of a container never change; those of a service do while its tasks run. */
function changeOfSettings(place: Place, settings: ServerSettings): Seen | undefined {
  const { basePath, models, shares, maxInFlight } = settings;
  const isReadElsewhere = place.basePath !== basePath || !Bun.deepEquals(place.named, models);
  if (isReadElsewhere) return "moved";
  const isSame = place.shares === shares && place.maxInFlight === maxInFlight;
  return isSame ? undefined : "other settings";
}

/**
 * What it means that no connection to an active backend could be made. If its machine can't vanish without a word, the
 * source tells what became of the run, as long as it is following. While it is not, the run may be over, and its address
 * may belong to another server: a daemon that starts again starts containers before it answers any call. If the run goes
 * on, the next sighting admits it again.
 *
 * @returns undefined if it means nothing
 */
export function seenIfUnreachable(
  how: Unreachable,
  mayVanish: boolean,
  isFollowing: boolean,
): Seen | undefined {
  if (mayVanish) return "unreachable";
  return how === "connection refused" && !isFollowing ? "refused" : undefined;
}

/** How the last run that has ended did so, as far as a sighting tells. */
export function lastEndIn(sighting: Sighting): RunEnd | undefined {
  if (sighting.kind === "ignored") return undefined;
  return sighting.kind === "present" ? sighting.lastEnd : sighting.end;
}

/**
 * How the run that is held has ended, if a sighting shows that it has.
 *
 * @returns undefined if it goes on as far as we know, or if no run is held
 */
export function endIn(sighting: Sighting, place: Place | undefined): RunEnd | undefined {
  if (place === undefined) return undefined;
  if (sighting.kind === "present") {
    return isSameRun(place.run, sighting.run) ? undefined : (sighting.lastEnd ?? ENDED);
  }
  const isOver = sighting.kind === "absent" && sighting.state !== "disabled";
  return isOver ? (sighting.end ?? ENDED) : undefined;
}

/**
 * True if the server or the proxy has left the network between them, or if it joined that network
 * while we still ask for the models. If a network is gone, nothing ends the connections over it:
 * what waits on one would wait for ever.
 */
function isCutOff(before: string | undefined, now: string | undefined, held: Held): boolean {
  const isDoubted = now !== undefined;
  return (before !== undefined) !== isDoubted && (isDoubted || held === "probing");
}
