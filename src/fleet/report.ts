/**
 * Reports one server to operators: its state, the reason, and since when. Each change is one line in
 * the log. Within a minute, the same line is logged again at debug level only, because a container may
 * flap or crash again and again. If such a state lasts, a later sighting logs it at its own level, so
 * the last line in the log always shows the present state. This file decides nothing about the server.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import { cut, someOf } from "../ground/some-of.ts";
import type { RunEnd } from "../routing/run.ts";
import type { Sighting } from "../sources/sighting.ts";
import { type ContainerStatus, type LastExit, NAME_LENGTH_MAX } from "../status.ts";
import type { Changes } from "../telemetry/changes.ts";
import type { Log, LogLevel } from "../telemetry/log.ts";
import { type Condition, CRASH_LOOP, conditionOf, type ServerState } from "./condition.ts";
import type { Holding } from "./holding.ts";
import { lastEndIn } from "./plan.ts";
import { coolingNote, replicaStatus } from "./replica-status.ts";

/** The server that a report is about. */
export type Subject = {
  readonly id: string;
  readonly name: string;
  readonly holding: Holding;
  /** An operator has drained its run. */
  readonly isDrained: boolean;
  /** How its last run ended, if we know. */
  readonly lastEnd?: RunEnd | undefined;
};

export type Shown = {
  /** A text to add to the reason while the server is routed. */
  readonly note?: string | undefined;
  /** The most models to list. The default is all. */
  readonly modelsMax?: number;
};

/** A change that an operator should look into is a warning. */
const LEVELS: Readonly<Record<ServerState, LogLevel>> = {
  routed: "info",
  reading_models: "info",
  starting: "info",
  unhealthy: "warn",
  paused: "warn",
  drained: "info",
  stopping: "info",
  restarting: "warn",
  stopped: "info",
  ignored: "warn",
  disabled: "debug",
  unknown: "debug",
};

/** If a server is in one of these states at first, that is no news for the last changes. */
const NO_NEWS_AT_FIRST: ReadonlySet<ServerState> = new Set(["stopped", "disabled"]);

/** The longest reason. It may contain text from a server, a health probe or the engine. */
const REASON_LENGTH_MAX = 1_000;
/** The longest id of a model in `GET /status`. A list of longer ids would take megabytes. */
const SHOWN_LENGTH_MAX = 1_000;

const REPEAT_MS = 60_000;
/** How many texts we remember. A container has a handful, unless its server makes up new ones. */
const KEPT_MAX = 32;

const UNKNOWN: Condition = { state: "unknown", reason: "the engine has not reported it yet" };

export class Report {
  readonly #log: Log;
  readonly #changes: Changes | undefined;
  #condition = UNKNOWN;
  /** When its state (not its reason) last changed, ms since the epoch. */
  #sinceMs: number;
  /** The text of the last log line of any level: see `changeOf`. */
  #lastChange: string | undefined;
  /** The text of the last log line that was no repetition. Repetitions are logged at debug level. */
  #lastSaid: string | undefined;
  /** How a run ended that broke off requests. The next line must say it, at its own level. */
  #unsaid: RunEnd | undefined;
  readonly #saidMs = new BoundedMap<string, number>(KEPT_MAX);

  constructor(log: Log, nowMs: number, changes?: Changes) {
    this.#log = log;
    this.#sinceMs = nowMs;
    this.#changes = changes;
  }

  /**
   * Sets the condition that `GET /status` shows, without a log line. A call of `tell` soon follows and
   * logs the result.
   */
  note(condition: Condition, nowMs: number): void {
    if (condition.state !== this.#condition.state) this.#sinceMs = nowMs;
    this.#condition = condition;
  }

  /**
   * The run has ended, and requests broke off. The log reports the broken answers, so it must also give
   * the reason, even if it gave the same reason a moment ago.
   */
  tookRequests(end: RunEnd): void {
    this.#unsaid = end;
  }

  /**
   * Notes that the source could not inspect the server. It shows only while the state is `unknown`;
   * otherwise the last state stays.
   */
  cannotTell(reason: string): void {
    if (this.#condition.state !== "unknown") return;
    this.#condition = { state: "unknown", reason: cut(reason, REASON_LENGTH_MAX) };
  }

  /** Updates the report, and logs it if it has changed. */
  tell(subject: Subject, sighting: Sighting, nowMs: number): void {
    const condition = shortened(conditionOf(sighting, subject.holding, subject.isDrained));
    const isFirst = this.#lastChange === undefined;
    this.note(condition, nowMs);
    const change = changeOf(condition);
    const isLate = change === this.#lastChange;
    const unsaid = this.#unsaid;
    if (isLate && change === this.#lastSaid && unsaid === undefined) return;
    const isRepeated = this.#isRepeated(condition, nowMs) && unsaid === undefined;
    if (isLate && isRepeated) return;
    const said = withEnd(condition, sighting, unsaid);
    if (!isLate || unsaid !== undefined) this.#changed(subject, said, nowMs);
    this.#unsaid = undefined;
    this.#lastChange = change;
    if (!isRepeated) this.#lastSaid = change;
    const level = isFailing(condition, sighting, subject) ? "warn" : levelOf(condition, isFirst);
    this.#log[isRepeated ? "debug" : level](`container ${condition.state}`, {
      ...fields(subject, said),
      ...(isLate && { since: new Date(this.#sinceMs).toISOString() }),
    });
  }

  /** The report does not know the recent requests: the member adds `recent`. */
  status(
    { id, name, holding, lastEnd }: Subject,
    { note, modelsMax }: Shown = {},
  ): ContainerStatus {
    const steadyMs = performance.now(); // the clock of `Load`, which never goes back
    const { state } = this.#condition;
    const { active, inFlight, place } = holding;
    const routed = state === "routed" ? active : undefined;
    const models = active?.models ?? [];
    return {
      id,
      name: cut(name, NAME_LENGTH_MAX),
      state,
      reason: this.#reasonWith(routed && note, coolingNote(routed, steadyMs)),
      since: new Date(this.#sinceMs).toISOString(),
      address: place?.origin ?? null,
      models: models.slice(0, modelsMax).map((model) => cut(model.id, SHOWN_LENGTH_MAX)),
      model_count: models.length,
      in_flight: inFlight,
      max_in_flight: place?.maxInFlight ?? null,
      ...replicaStatus(routed, steadyMs),
      last_exit: lastEnd === undefined ? null : lastExit(lastEnd),
      crash_loop: this.#condition.gist === CRASH_LOOP,
      recent: null,
    };
  }

  #changed({ name }: Subject, { state, reason, gist }: Condition, nowMs: number): void {
    if (this.#lastChange === undefined && NO_NEWS_AT_FIRST.has(state)) return;
    const news = { what: "container", name, state, reason } as const;
    this.#changes?.add({ ...news, gist: `${state} ${textOf({ state, reason, gist })}` }, nowMs);
  }

  #reasonWith(...notes: readonly (string | undefined)[]): string {
    const { reason } = this.#condition;
    return [reason, ...notes].filter((text) => text !== undefined).join("; ");
  }

  #isRepeated(condition: Condition, nowMs: number): boolean {
    if (condition.state === "drained") return false; // an operator has asked for it: news each time
    const text = textOf(condition);
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
      models: someOf(served.map(({ id }) => id)),
    }),
    ...(active === undefined && inFlight > 0 && { in_flight: inFlight }),
    reason,
  };
}

/** True if an operator should look into it in any state. */
function isFailing({ state, gist }: Condition, sighting: Sighting, { holding }: Subject): boolean {
  const { held, failure, leftOut } = holding;
  const isDoubted = sighting.kind === "present" && sighting.doubt !== undefined;
  const isPartial = state === "routed" && leftOut !== undefined;
  const isCrashing = gist === CRASH_LOOP;
  return failure !== undefined || isPartial || isCrashing || (isDoubted && held === "probing");
}

function shortened(condition: Condition): Condition {
  return { ...condition, reason: cut(condition.reason, REASON_LENGTH_MAX) };
}

/**
 * Adds how the last run ended, if the report must say it and the reason does not say it yet.
 *
 * @param unsaid what we knew when the run ended; the sighting may know more
 */
function withEnd(condition: Condition, sighting: Sighting, unsaid: RunEnd | undefined): Condition {
  if (unsaid === undefined || sighting.kind === "ignored") return condition;
  const end = lastEndIn(sighting) ?? unsaid;
  const { state, reason } = condition;
  if (state === "restarting" || reason.includes(end.brief)) return condition;
  const who = sighting.kind === "absent" ? "it" : "its last run";
  return { ...condition, reason: `${reason}; ${who} ${end.reason}` };
}

/** An engine may report a time that is no valid date. Nanoseconds as a number are inexact by some hundred. */
function lastExit({ reason, atMs = Number.NaN }: RunEnd): LastExit {
  const at = new Date(Math.round(atMs));
  return { reason, at: Number.isNaN(at.getTime()) ? null : at.toISOString() };
}

/** A container that stopped before the proxy started is no news. */
function levelOf({ state }: Condition, isFirst: boolean): LogLevel {
  return isFirst && state === "stopped" ? "debug" : LEVELS[state];
}

/**
 * A change of this text makes a new log line. The removal of a stopped container is no news, so the
 * reason does not count for `stopped`.
 */
function changeOf(condition: Condition): string {
  return condition.state === "stopped"
    ? condition.state
    : `${condition.state} ${textOf(condition)}`;
}

/**
 * Two lines with the same text are repetitions. A health probe may print another text each time, but
 * only its failure is news, so the reason does not count for `unhealthy`.
 */
function textOf({ state, reason, gist }: Condition): string {
  return gist ?? (state === "unhealthy" ? state : `${state} ${reason}`);
}
