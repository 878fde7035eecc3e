/**
 * Collects facts about the runs of one container from events and inspects, each with its time, and
 * groups them into runs. Pure. A fact may come twice, late, or not at all. All times are the engine's
 * own, in ms since the epoch. It does not judge how a run ended: see run-ends.ts.
 */
import type { Container } from "../../engine/container.ts";
import type { ContainerEvent, RunFact } from "../../engine/events.ts";

export type Fact = {
  /** `stopping`: an inspect has shown a stop in progress. Podman shows that, and has no event for it. */
  readonly what: RunFact | "stopping";
  readonly timeMs: number;
  /** The signal of a `kill`, from its event. */
  readonly signal?: number | undefined;
  /** The exit code of a `die`, from its event. A label may hide it. */
  readonly exitCode?: number | undefined;
  /** What an inspect shows about a `die`. No label can hide that. */
  readonly inspected?: Inspected | undefined;
};

type Inspected = Pick<Container, "exitCode" | "outOfMemory">;

export type PastRun = {
  /** Undefined if it began before the first known fact. */
  readonly startedMs: number | undefined;
  /** Undefined while the run continues, or if the engine has not reported its end. */
  readonly endedMs: number | undefined;
  /** True if the engine has reported when it ended. Otherwise `endedMs` is the latest possible time. */
  readonly isEndTold: boolean;
  /** From an event. */
  readonly exitCode: number | undefined;
  readonly inspected: Inspected | undefined;
  /** When the kernel last killed one of its processes because memory ran out. */
  readonly oomMs: number | undefined;
  /** True if it has been healthy at some time. */
  readonly isHealthy: boolean;
  /** The signals that it got, as facts. */
  readonly kills: readonly Fact[];
  /** True if an inspect has shown a stop in progress, or if a `docker stop` finished before the run ended. */
  readonly isStopping: boolean;
  /** True if a `docker stop` has finished since the run began, perhaps while the container did not run. */
  readonly hasStopped: boolean;
};

/** We ignore ends that are older than this. */
export const MEMORY_MS = 600_000;
/** We keep at most this many facts of one container: 10 minutes of a container that ends every 5 s. */
const FACTS_MAX = 256;
/** We keep at most this many facts of one kind in one run. */
const OF_A_KIND_MAX = 8;
/** The time of a start event is a few ms after the start time in an inspect. */
const SAME_START_MS = 5_000;
/** The engine may report a signal or an `oom` up to this long after the end of the run. */
const LATE_MS = 1_000;

/** @returns undefined if the event says nothing about a run */
export function factOf({ fact, timeMs, signal, exitCode }: ContainerEvent): Fact | undefined {
  return fact === undefined ? undefined : { what: fact, timeMs, signal, exitCode };
}

/** What an inspect shows about the container's last run. */
export function factsOf(container: Container): readonly Fact[] {
  const { status, startedAtMs, finishedAtMs, health, exitCode, outOfMemory } = container;
  if (startedAtMs <= 0 || status === "created") return [];
  const facts: Fact[] = [{ what: "start", timeMs: startedAtMs }];
  const soonMs = startedAtMs + 0.01;
  if (health === "healthy") facts.push({ what: "healthy", timeMs: soonMs });
  if (status === "stopping") facts.push({ what: "stopping", timeMs: soonMs });
  if (["running", "paused", "stopping"].includes(status)) return facts;
  const endedMs = Math.max(finishedAtMs, soonMs);
  return [...facts, { what: "die", timeMs: endedMs, inspected: { exitCode, outOfMemory } }];
}

/** @param facts the facts of one container in the order of their times, like the result */
export function withFact(facts: readonly Fact[], fact: Fact): readonly Fact[] {
  if (facts.some((known) => isSame(known, fact))) return facts;
  const start = fact.what === "start" ? startOf(facts, fact.timeMs) : undefined;
  if (start !== undefined && start.timeMs <= fact.timeMs) return facts;
  const others = facts.filter((other) => other !== start);
  const index = others.findLastIndex(({ timeMs }) => timeMs <= fact.timeMs) + 1;
  return pruned(withoutSurplus(others.toSpliced(index, 0, fact), index));
}

function isSame(known: Fact, fact: Fact): boolean {
  return (
    known.timeMs === fact.timeMs &&
    known.what === fact.what &&
    known.signal === fact.signal &&
    (known.inspected === undefined) === (fact.inspected === undefined)
  );
}

/** The start of the run that began at this time, if we know it already. */
function startOf(facts: readonly Fact[], timeMs: number): Fact | undefined {
  return facts.find(
    (known) =>
      known.what === "start" &&
      Math.abs(known.timeMs - timeMs) < SAME_START_MS &&
      !facts.some((other) => isEnd(other) && isBetween(other.timeMs, known.timeMs, timeMs)),
  );
}

function isBetween(timeMs: number, oneMs: number, otherMs: number): boolean {
  return timeMs > Math.min(oneMs, otherMs) && timeMs < Math.max(oneMs, otherMs);
}

function isEnd({ what }: Fact): boolean {
  return what === "die" || what === "stop" || what === "destroy";
}

/** Drops the oldest fact of a kind if the run of the new fact has too many of that kind. */
function withoutSurplus(facts: readonly Fact[], index: number): readonly Fact[] {
  const what = facts[index]?.what;
  if (what === undefined || what === "start") return facts;
  const from = facts.findLastIndex((other, at) => at < index && other.what === "start");
  const next = facts.findIndex((other, at) => at > index && other.what === "start");
  const run = facts.slice(from + 1, next < 0 ? facts.length : next);
  const ofAKind = run.filter((other) => other.what === what);
  return ofAKind.length > OF_A_KIND_MAX ? facts.filter((other) => other !== ofAKind[0]) : facts;
}

/** Drops the runs that ended more than 10 minutes before the newest fact. */
function pruned(facts: readonly Fact[]): readonly Fact[] {
  const horizonMs = (facts.at(-1)?.timeMs ?? 0) - MEMORY_MS;
  const from = facts.findLastIndex(({ what, timeMs }) => what === "start" && timeMs <= horizonMs);
  return facts.slice(Math.max(from, facts.length - FACTS_MAX, 0));
}

type OpenRun = { -readonly [Key in keyof PastRun]: PastRun[Key] } & { kills: Fact[] };

/**
 * Groups facts into runs, oldest first. Only the last run may still continue.
 *
 * @param facts in the order of their times
 */
export function runsIn(facts: readonly Fact[]): readonly PastRun[] {
  const runs: OpenRun[] = [];
  for (const fact of facts) {
    const last = runs.at(-1);
    if (fact.what === "start" || last === undefined) {
      // The engine has not reported the end of the previous run: it ended at some time until now.
      if (last !== undefined) last.endedMs ??= fact.timeMs;
      const run = newRun(fact.what === "start" ? fact.timeMs : undefined);
      add(run, fact);
      runs.push(run);
    } else {
      add(last, fact);
    }
  }
  return runs;
}

function newRun(startedMs: number | undefined): OpenRun {
  return {
    startedMs,
    endedMs: undefined,
    isEndTold: false,
    exitCode: undefined,
    inspected: undefined,
    oomMs: undefined,
    isHealthy: false,
    kills: [],
    isStopping: false,
    hasStopped: false,
  };
}

function add(run: OpenRun, fact: Fact): void {
  const { what, timeMs } = fact;
  const isInTime = run.endedMs === undefined || timeMs - run.endedMs < LATE_MS;
  if (what === "healthy") run.isHealthy = true;
  if (what === "stopping") run.isStopping = true;
  if (what === "oom" && isInTime) run.oomMs = timeMs;
  if (what === "kill" && isInTime) run.kills.push(fact);
  if (what === "stop") {
    run.hasStopped = true;
    run.isStopping ||= run.endedMs === undefined;
  }
  if (what === "die") {
    run.exitCode ??= fact.exitCode;
    run.inspected ??= fact.inspected;
  }
  if (!isEnd(fact)) return;
  // No process lives for less than 1 ms: such a time means that the engine has not reported the end.
  run.isEndTold ||= timeMs - (run.startedMs ?? 0) >= 1 && run.endedMs === undefined;
  run.endedMs ??= timeMs;
}
