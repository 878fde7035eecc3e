/**
 * Says in words for people why a container is not healthy, or why it does not run. Pure. It does
 * not decide whether that is so.
 */
import type { Container } from "../../engine/container.ts";
import { durationText } from "../../ground/duration-text.ts";
import type { RunEnd } from "../../routing/run.ts";
import type { Present, Sighting } from "../sighting.ts";
import type { Past } from "./past.ts";

type Absence = Pick<Extract<Sighting, { readonly kind: "absent" }>, "state" | "reason">;

const AFTER_PAUSE =
  "it was paused, and the engine calls it unhealthy until its next health check passes";

/**
 * For a container that runs, but is paused or called unhealthy. A pause makes the engine call it
 * unhealthy, and leaves it so until the next probe (20.10, recorded): only then no probe
 * has failed.
 */
export function notHealthy({ status, probeOutput, hasFailedProbe }: Container): Present["trouble"] {
  if (status === "paused") {
    return { state: "paused", reason: "paused; docker unpause has it routed again" };
  }
  const reason = hasFailedProbe
    ? `its health check fails: ${probeOutput || "it prints nothing"}`
    : AFTER_PAUSE;
  return { state: "unhealthy", reason };
}

/** For a container that does not run. */
export function notRunning({ name, status, startError }: Container, past: Past): Absence {
  switch (status) {
    case "restarting": {
      const reason = past.isCrashLoop
        ? crashLoop(name, past)
        : `${againText(past)}; the engine starts it again`;
      return { state: "restarting", reason };
    }
    case "created":
      return {
        state: "stopped",
        reason: startError === "" ? "never started" : `could not be started: ${startError}`,
      };
    case "exited": {
      const ended = past.wasStopped ? stoppedText(past) : endsText(past);
      return { state: "stopped", reason: startError === "" ? ended : `${ended}: ${startError}` };
    }
    case "removing":
      return { state: "stopped", reason: "being removed" };
    default:
      return { state: "stopped", reason: `the engine calls it "${status}"` };
  }
}

/**
 * For a container that runs and is not healthy yet: what its runs before this one say.
 *
 * @returns undefined if they say nothing of it
 */
export function comingUp(name: string, past: Past): string | undefined {
  if (past.isCrashLoop) return crashLoop(name, past);
  const { end, isRecent, endCount, restartCount } = past;
  if (end === undefined && restartCount > 1) {
    return `the engine has restarted it ${restartCount} times`;
  }
  if (!isRecent || end?.kind === "stopped") return undefined;
  return endCount > 1 ? againText(past) : `its last run ${lastRun(past)}`;
}

function crashLoop(name: string, past: Past): string {
  return `${againText(past)}; it crashes again and again, and no request waits for it: docker logs ${name} may tell why`;
}

/** It may have been told to stop while the engine was about to start it again. */
function stoppedText({ end }: Past): string {
  if (end === undefined) return "was stopped";
  return end.kind === "exited" ? `was stopped; its last run ${end.reason}` : end.reason;
}

/** `exited with code 1 after 12 s`, or `5 times in 10 min; last: exit code 1 after 12 s`. */
function againText(past: Past): string {
  return endsText(past).replace("; last: exited with code", "; last: exit code");
}

function endsText(past: Past): string {
  const { endCount, restartCount } = past;
  // The engine tells of 256 events at most that came before us: it may have restarted more often.
  const total = restartCount > Math.max(endCount, 1) ? `${restartCount} times in all` : "";
  if (endCount < 2) return total === "" ? lastRun(past) : `${lastRun(past)}; restarted ${total}`;
  const counts = `${lately(endCount)} in 10 min${total === "" ? "" : `, ${total}`}`;
  return `${counts}; last: ${lastRun(past)}`;
}

function lastRun({ end, livedMs }: Past): string {
  if (end === undefined) return "has ended";
  const saysLife = SAYING_LIFE.has(end.kind) && !end.reason.includes(" after ");
  return livedMs !== undefined && saysLife
    ? `${end.reason} after ${durationText(livedMs)}`
    : end.reason;
}

/** Of the others it would say nothing, or their reason is a sentence too long for it. */
const SAYING_LIFE: ReadonlySet<RunEnd["kind"]> = new Set(["exited", "out of memory"]);

/** More are not kept of one container. */
const COUNTED_MAX = 100;

function lately(count: number): string {
  return count > COUNTED_MAX ? `over ${COUNTED_MAX} times` : `${count} times`;
}
