/**
 * Judges how a run ended, and writes the reason: it ran out of memory, exited, was stopped, or was
 * killed and by whom. Pure. Exit code 137 is 128 plus SIGKILL; it does not say who sent the signal.
 */
import type { Container } from "../../engine/container.ts";
import { signalName } from "../../engine/signals.ts";
import { durationText } from "../../ground/duration-text.ts";
import type { RunEnd } from "../../routing/run.ts";
import type { PastRun } from "./run-facts.ts";
import { isStopSignal } from "./stop-notices.ts";

/** The fields of a container that we need to judge its runs. */
export type Judged = Pick<
  Container,
  "stopSignal" | "stopTimeoutMs" | "signalIsHidden" | "exitCodeIsHidden"
>;

/** For a run whose end the engine has not explained. */
export const ENDED: RunEnd = { kind: "unknown", brief: "has ended", reason: "has ended" };

/**
 * For a container that continues to run after the container whose network it shares has ended.
 *
 * @param name the name of the other container
 */
export function withoutNetwork(name = "whose network it shares"): RunEnd {
  const brief = "has lost its network";
  return { kind: "unknown", brief, reason: `${brief}: the container ${name} has ended` };
}

const SIGKILL = 9;
const KILLED = 128 + SIGKILL;
/** A container with several processes lives on when one of its processes runs out of memory. */
const OOM_MS = 10_000;
/** The precision of the engine's stop timer and of its events. */
const STOP_TIMEOUT_TOLERANCE_MS = 500;

/**
 * True if the run was told to stop shortly before it ended.
 *
 * @param lapseMs how long a stop signal counts
 */
export function wasToldToStop(run: PastRun, judged: Judged, lapseMs: number): boolean {
  return run.isStopping || stopsOf(run, judged, lapseMs).length > 0;
}

/**
 * True if it was killed and no event says why. The reason may be "out of memory": the engine may report
 * that after the end, or only in the next inspect.
 */
export function isUnexplained(run: PastRun, judged: Judged, lapseMs: number): boolean {
  const { exitCode, inspected, oomMs } = run;
  const isKilled = !judged.exitCodeIsHidden && exitCode === KILLED;
  const isExplained = inspected !== undefined || oomMs !== undefined;
  return isKilled && !isExplained && stopsOf(run, judged, lapseMs).length === 0;
}

/** @param lapseMs how long a stop signal counts */
export function endOf(run: PastRun, judged: Judged, lapseMs: number): RunEnd {
  const end = judge(run, judged, lapseMs);
  return run.isEndTold ? { ...end, atMs: run.endedMs } : end;
}

function judge(run: PastRun, judged: Judged, lapseMs: number): RunEnd {
  const exitCode = run.inspected?.exitCode ?? (judged.exitCodeIsHidden ? undefined : run.exitCode);
  const stops = stopsOf(run, judged, lapseMs);
  const sigkill = stops.findLast(({ signal }) => signal === SIGKILL);
  const isOutOfMemory = hasRunOutOfMemory(run, sigkill?.timeMs);
  const isKilled = exitCode === KILLED || (exitCode === undefined && sigkill !== undefined);
  if (isOutOfMemory && (exitCode === undefined || isKilled)) return outOfMemory(exitCode);
  if (isKilled) {
    const reason = killed(run, { stops, sigkill, stopTimeoutMs: judged.stopTimeoutMs });
    return { kind: "killed", brief: "was killed", reason };
  }
  if (run.isStopping || stops.length > 0) return stopped(exitCode, stops);
  if (exitCode === undefined) return ENDED;
  return exited(exitCode, isOutOfMemory);
}

type Stop = { readonly signal?: number | undefined; readonly timeMs: number };

/** The stop signals that the run got and that had not lapsed when it ended. */
function stopsOf({ kills, endedMs }: PastRun, judged: Judged, lapseMs: number): readonly Stop[] {
  const atMs = endedMs ?? kills.at(-1)?.timeMs ?? 0;
  return kills.filter(
    ({ signal, timeMs }) => isStopSignal(signal, judged) && atMs - timeMs <= lapseMs,
  );
}

/**
 * True if its memory had run out when it ended. An event says when that happened. An inspect only says
 * that it happened at some time of the run.
 */
function hasRunOutOfMemory(
  { oomMs, endedMs, inspected }: PastRun,
  sigkillMs: number | undefined,
): boolean {
  if (oomMs === undefined) return sigkillMs === undefined && inspected?.outOfMemory === true;
  const isNear = endedMs === undefined || endedMs - oomMs < OOM_MS;
  return isNear && (sigkillMs === undefined || sigkillMs < oomMs);
}

function outOfMemory(exitCode: number | undefined): RunEnd {
  const brief = "ran out of memory";
  const reason = exitCode === undefined ? brief : `${brief} (exit code ${exitCode})`;
  return { kind: "out of memory", brief, reason };
}

/** If the stop signal ends the process, the exit code is 128 plus the signal. */
function stopped(exitCode: number | undefined, stops: readonly Stop[]): RunEnd {
  const brief = "was stopped";
  const usual = [undefined, 0, 143, ...stops.map(({ signal = 0 }) => 128 + signal)];
  const reason = usual.includes(exitCode) ? brief : `${brief} (exit code ${exitCode})`;
  return { kind: "stopped", brief, reason };
}

function exited(exitCode: number, isOutOfMemory: boolean): RunEnd {
  const brief = `exited with code ${exitCodeText(exitCode)}`;
  const isVictim = isOutOfMemory && exitCode !== 0;
  const reason = isVictim ? `${brief} after one of its processes ran out of memory` : brief;
  return { kind: "exited", brief, reason };
}

function exitCodeText(exitCode: number): string {
  const name = exitCode > 128 ? signalName(exitCode - 128) : undefined;
  return name === undefined ? `${exitCode}` : `${exitCode} (${name})`;
}

type Killing = {
  readonly stops: readonly Stop[];
  readonly sigkill: Stop | undefined;
  readonly stopTimeoutMs: number;
};

/** Says who has killed it, as far as we know. */
function killed({ endedMs }: PastRun, { stops, sigkill, stopTimeoutMs }: Killing): string {
  const told = stops.filter(({ signal }) => signal !== SIGKILL);
  const killedMs = sigkill?.timeMs ?? endedMs ?? 0;
  const waitsMs = told.map(({ timeMs }) => Math.max(0, killedMs - timeMs));
  const waitMs = Math.min(
    ...waitsMs.filter((ms) => ms >= stopTimeoutMs - STOP_TIMEOUT_TOLERANCE_MS),
  );
  if (Number.isFinite(waitMs)) {
    return `was killed at the end of its stop timeout of ${durationText(waitMs)}; give it a longer stop_grace_period`;
  }
  if (waitsMs.length > 0) {
    return `was killed ${durationText(Math.min(...waitsMs))} after it was told to stop, by docker stop -t, docker kill or docker rm -f`;
  }
  return sigkill === undefined
    ? `was killed (exit code ${KILLED}), not by Docker: the host may have run out of memory`
    : "was killed by docker kill or docker rm -f";
}
