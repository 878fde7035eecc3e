/**
 * The state machine of one server, on one screen: `Held` (the present state) and `Seen` (an
 * observation) give a `Step`. Pure. A step says what happens to the current run, its backends, the
 * reading of its models and the deadline. Only steps change these. holding.ts carries them out. The
 * source decides how healthy a server is.
 */

import type { Unreachable } from "../routing/backend.ts";
import { isSameRun, type Run, type RunEnd } from "../routing/run.ts";
import type { Health, ServerSettings, Sighting } from "../sources/sighting.ts";

/**
 * `draining after notice`: this run has had a stop notice (even one that has lapsed), or could not be reached. So the
 * proxy must read its models before it takes requests again.
 */
export type Held = "unknown" | "probing" | "active" | "draining" | "draining after notice";

export type Seen =
  | Health
  /** An operator has drained the run, and it was not told to stop. Takes precedence over its health. */
  | "drained"
  /** An operator has undrained the run. */
  | "undrained"
  /** The run is over, or the server must not be routed. */
  | "absent"
  /** A new run, so the current run is over. Or the first run. */
  | "another run"
  /** The run has another address. Requests in flight still reach it at the old one. */
  | "moved"
  /** Its group of replicas, or its limit of requests in flight, has changed. */
  | "other settings"
  /** The network path to the run has changed. No answer to the requests in flight will ever arrive. */
  | "cut off"
  /** Nothing listens at the address, and the source can't say why. */
  | "refused"
  /** No connection to it can be made, and its machine may have vanished without notice. */
  | "unreachable"
  | "models read"
  | "read failed";

export type Step = {
  /**
   * The current run. `take`: the run that was seen becomes the current run; we know nothing about it
   * yet. `move`: the same run stays, at its new place. `forget`: there is no current run.
   */
  readonly run: "keep" | "take" | "move" | "forget";
  /**
   * `admit`: a new backend takes requests; draining ones leave when they are idle. `replace models`: the
   * active backend gets the models that were read. `replace backend`: a new backend with the same models replaces
   * the active one, which drains. `drain`: the active backend takes no new requests. `remove`: all leave
   * at once, draining or not.
   */
  readonly backends: "keep" | "admit" | "replace models" | "replace backend" | "drain" | "remove";
  /**
   * The reading of the models, which repeats until it is stopped. `seek`: starts a reading that tries every second,
   * because the server was routed a moment ago.
   */
  readonly reading: "keep" | "start" | "seek" | "stop";
  /**
   * `set`: each draining backend without a deadline gets one, and the run counts as told to stop. `set for endless`:
   * only requests that may never end by themselves get a deadline. `lift for endless`: removes these deadlines.
   */
  readonly deadline: "keep" | "set" | "set for endless" | "lift for endless";
};

const KEEP: Step = { run: "keep", backends: "keep", reading: "keep", deadline: "keep" };
const PROBE: Step = { ...KEEP, reading: "start" };
const STOP_PROBING: Step = { ...KEEP, reading: "stop" };
const ADMIT: Step = { ...KEEP, backends: "admit" };
/** Admits at once with the models that the run had. The new backend exists beside the old one. */
const READMIT: Step = { ...KEEP, backends: "admit", reading: "start" };
const REPLACE_MODELS: Step = { ...KEEP, backends: "replace models" };
/** Sets no deadline: the process lives, and requests in flight may finish. */
const DRAIN: Step = { ...KEEP, backends: "drain", reading: "stop" };
/** The server is admitted again once its models can be read. */
const DRAIN_AND_SEEK: Step = { ...KEEP, backends: "drain", reading: "seek" };
const DRAIN_BY_DEADLINE: Step = { ...DRAIN, deadline: "set" };
const STOP_PROBING_BY_DEADLINE: Step = { ...STOP_PROBING, deadline: "set" };
const SET_DEADLINE: Step = { ...KEEP, deadline: "set" };
/** An operator who drains a server does not want to wait for WebSockets, which may stay open for hours. */
const BY_HAND = { deadline: "set for endless" } as const satisfies Partial<Step>;
const SET_DEADLINE_BY_HAND: Step = { ...KEEP, ...BY_HAND };

/** The steps that are the same in all states. */
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
    "other settings": { ...KEEP, run: "move", backends: "replace backend" },
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

/** The source does not know how the run ended. */
const ENDED: RunEnd = { kind: "unknown", brief: "has ended", reason: "has ended" };

export function plan(held: Held, seen: Seen): Step {
  return STEPS[held][seen];
}

/** A run and how to reach it, from the sighting that the last `take` or `move` followed. */
export type Place = {
  readonly run: Run;
  readonly origin: string;
  readonly basePath: string;
  /** See `ServerSettings`. */
  readonly named?: readonly string[] | undefined;
  /** For these two see `ServerSettings`. */
  readonly shares?: string | undefined;
  readonly maxInFlight?: number | undefined;
  /** See `Present`. */
  readonly mayVanish?: boolean | undefined;
  /** Why `origin` may not reach the run. */
  readonly doubt?: string | undefined;
};

/** @returns undefined if the server has no run that can be routed */
export function placeOf(sighting: Sighting): Place | undefined {
  if (sighting.kind !== "present") return undefined;
  const { run, origin, doubt, mayVanish, settings } = sighting;
  const { basePath, models: named, shares, maxInFlight } = settings;
  return { run, origin, basePath, named, shares, maxInFlight, mayVanish, doubt };
}

/**
 * Translates a sighting into observations, in the order to act on: first about the current run, then
 * about the health of the server.
 *
 * @param isDrained an operator has drained this run
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

/** The labels of a container never change, but the labels of a service can change while its tasks run. */
function changeOfSettings(place: Place, settings: ServerSettings): Seen | undefined {
  const { basePath, models, shares, maxInFlight } = settings;
  const isReadElsewhere = place.basePath !== basePath || !Bun.deepEquals(place.named, models);
  if (isReadElsewhere) return "moved";
  const isSame = place.shares === shares && place.maxInFlight === maxInFlight;
  return isSame ? undefined : "other settings";
}

/**
 * What follows if no connection to an active backend could be made. If its machine cannot vanish, the source reports
 * the end of the run while it is following. While it is not following, the run may be over, and its address may belong
 * to another server: a restarted daemon starts containers before it answers any call. If the run goes on, the next
 * sighting admits it again.
 *
 * @returns undefined if nothing follows
 */
export function seenIfUnreachable(
  how: Unreachable,
  mayVanish: boolean,
  isFollowing: boolean,
): Seen | undefined {
  if (mayVanish) return "unreachable";
  return how === "connection refused" && !isFollowing ? "refused" : undefined;
}

/** How the last run ended, as far as a sighting shows. */
export function lastEndIn(sighting: Sighting): RunEnd | undefined {
  if (sighting.kind === "ignored") return undefined;
  return sighting.kind === "present" ? sighting.lastEnd : sighting.end;
}

/**
 * How the current run ended, if a sighting shows that it has ended.
 *
 * @returns undefined if it goes on as far as we know, or if there is no current run
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
 * True if the server or the proxy has left their common network, or has joined it while we still ask
 * for the models. If a network is gone, nothing ends the connections over it: a request on such a
 * connection would wait for ever (measured: a stream was still silent after 20 s).
 */
function isCutOff(before: string | undefined, now: string | undefined, held: Held): boolean {
  const isDoubted = now !== undefined;
  return (before !== undefined) !== isDoubted && (isDoubted || held === "probing");
}
