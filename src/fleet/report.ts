/**
 * What people are told of one server: its state, why, and since when. Each change of it is one
 * line in the log; what was said within the last minute is said again at debug level only, for
 * containers that flap or crash again and again. If it lasts it is said after all, at a later look:
 * the last line of the log is how it stands.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { cut, someOf } from "../ground/some-of.ts";
import type { Sighting } from "../sources/sighting.ts";
import type { ContainerStatus } from "../status.ts";
import type { Log, LogLevel } from "../telemetry/log.ts";
import { type Condition, conditionOf, type ServerState } from "./condition.ts";
import type { Holding } from "./holding.ts";

/** Whom it is about. */
export type Subject = {
  readonly id: string;
  readonly name: string;
  readonly holding: Holding;
};

/** A change that is worth a look is a warning. */
const LEVELS: Readonly<Record<ServerState, LogLevel>> = {
  routed: "info",
  reading_models: "info",
  starting: "info",
  unhealthy: "warn",
  paused: "warn",
  stopping: "info",
  restarting: "warn",
  stopped: "info",
  ignored: "warn",
  disabled: "debug",
  unknown: "debug",
};

/** Of a reason, which may have in it what a server, a health probe or the engine said. */
const REASON_LENGTH_MAX = 1_000;
/** Of the id of a model: a list of long ones would be megabytes. */
const SHOWN_LENGTH_MAX = 1_000;

const REPEAT_MS = 60_000;
/** Texts that are remembered: a container has a handful, unless its server makes up new ones. */
const KEPT_MAX = 32;

const UNKNOWN: Condition = { state: "unknown", reason: "the engine has not told of it yet" };

export class Report {
  readonly #log: Log;
  #condition = UNKNOWN;
  /** When its state, not its reason, last changed: ms since the epoch. */
  #sinceMs: number;
  /** Of what the last line said: see `changeOf`. */
  #lastChange: string | undefined;
  /** The same, of the last line that was no repetition. */
  #lastSaid: string | undefined;
  readonly #saidMs = new BoundedMap<string, number>(KEPT_MAX);

  constructor(log: Log, nowMs: number) {
    this.#log = log;
    this.#sinceMs = nowMs;
  }

  /** It is so, but for a moment only: nothing is logged until `tell` is called. */
  note(condition: Condition, nowMs: number): void {
    if (condition.state !== this.#condition.state) this.#sinceMs = nowMs;
    this.#condition = condition;
  }

  /** Its source could not look at it. That matters only if it never could. */
  cannotTell(reason: string): void {
    if (this.#condition.state !== "unknown") return;
    this.#condition = { state: "unknown", reason: cut(reason, REASON_LENGTH_MAX) };
  }

  /** Brings it to what is seen and held. */
  tell(subject: Subject, sighting: Sighting, nowMs: number): void {
    const { held, failure, leftOut } = subject.holding;
    const { state, reason } = conditionOf(sighting, subject.holding);
    const condition = { state, reason: cut(reason, REASON_LENGTH_MAX) };
    const isFirst = this.#lastChange === undefined;
    this.note(condition, nowMs);
    const change = changeOf(condition);
    const isLate = change === this.#lastChange;
    if (isLate && change === this.#lastSaid) return;
    const isRepeated = this.#isRepeated(textOf(condition), nowMs);
    if (isLate && isRepeated) return;
    this.#lastChange = change;
    if (!isRepeated) this.#lastSaid = change;
    const isDoubted = sighting.kind === "present" && sighting.doubt !== undefined;
    const isPartial = condition.state === "routed" && leftOut !== undefined;
    const isFailing = failure !== undefined || isPartial || (isDoubted && held === "probing");
    const level = isFailing ? "warn" : levelOf(condition, isFirst);
    this.#log[isRepeated ? "debug" : level](`container ${condition.state}`, {
      ...fields(subject, condition),
      ...(isLate && { since: new Date(this.#sinceMs).toISOString() }),
    });
  }

  status({ id, name, holding }: Subject): ContainerStatus {
    const { state, reason } = this.#condition;
    const { active, inFlight, place } = holding;
    return {
      id,
      name,
      state,
      reason,
      since: new Date(this.#sinceMs).toISOString(),
      address: place?.origin ?? null,
      models: active?.models.map((model) => cut(model.id, SHOWN_LENGTH_MAX)) ?? [],
      in_flight: inFlight,
    };
  }

  #isRepeated(text: string, nowMs: number): boolean {
    const saidMs = this.#saidMs.get(text) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - saidMs < REPEAT_MS) return true;
    this.#saidMs.set(text, nowMs);
    return false;
  }
}

function fields(
  { name, holding }: Subject,
  { reason }: Condition,
): Readonly<Record<string, unknown>> {
  const { active, inFlight, served } = holding;
  return {
    container: name,
    ...(active !== undefined && {
      address: active.origin,
      model_count: served.length,
      models: someOf(served),
    }),
    ...(active === undefined && inFlight > 0 && { in_flight: inFlight }),
    reason,
  };
}

/** Containers that had stopped before we came are no news. */
function levelOf({ state }: Condition, isFirst: boolean): LogLevel {
  return isFirst && state === "stopped" ? "debug" : LEVELS[state];
}

/** What makes it another line: a container that has stopped and is removed is no news again. */
function changeOf(condition: Condition): string {
  return condition.state === "stopped" ? condition.state : textOf(condition);
}

/** What a health probe prints may be another text each time; that it fails is the news. */
function textOf({ state, reason }: Condition): string {
  return state === "unhealthy" ? state : `${state} ${reason}`;
}
