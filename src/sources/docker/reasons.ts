/**
 * Writes the reasons for people: why a container is not healthy, or why it does not run. Pure. It does
 * not decide whether it is healthy or runs.
 */
import type { Container } from "../../engine/container.ts";
import { durationText } from "../../ground/duration-text.ts";
import type { RunEnd } from "../../routing/run.ts";
import type { Present, Sighting } from "../sighting.ts";
import type { Past } from "./past.ts";

type Absence = Pick<Extract<Sighting, { readonly kind: "absent" }>, "state" | "reason">;

const AFTER_PAUSE =
  "it was paused; the engine reports it as unhealthy until its next health check passes";

/**
 * For a container that runs, but is paused or reported as unhealthy. A pause makes the engine report it
 * as unhealthy until the next probe (20.10, recorded). In that case, and only then, no probe has failed.
 */
export function notHealthy({ status, probeOutput, hasFailedProbe }: Container): Present["trouble"] {
  if (status === "paused") {
    return { state: "paused", reason: "paused; after docker unpause the proxy routes it again" };
  }
  const reason = hasFailedProbe
    ? `its health check fails: ${probeOutput || "the check prints nothing"}`
    : AFTER_PAUSE;
  return { state: "unhealthy", reason };
}

/** For a container that does not run. */
export function notRunning({ name, status, startError }: Container, past: Past): Absence {
  switch (status) {
    case "restarting": {
      const reason = past.isCrashLoop
        ? crashLoop(name, past)
        : `${againText(past)}; the engine is restarting it`;
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
      return { state: "stopped", reason: `the engine reports its status as "${status}"` };
  }
}

/**
 * For a container that runs and is not healthy yet: a text about its previous runs.
 *
 * @returns undefined if there is nothing to say about them
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
  return `${againText(past)}; it crashes again and again, so no request waits for it; look at docker logs ${name}`;
}

/** The stop may have come while the engine was about to restart it: then its last run had exited. */
function stoppedText({ end }: Past): string {
  if (end === undefined) return "was stopped";
  return end.kind === "exited" ? `was stopped; its last run ${end.reason}` : end.reason;
}

/** `exited with code 1 after 12 s`, or `ended 5 times in 10 min; last: exit code 1 after 12 s`. */
function againText(past: Past): string {
  return endsText(past).replace("; last: exited with code", "; last: exit code");
}

function endsText(past: Past): string {
  const { endCount, restartCount } = past;
  // We see at most 256 events from before our own start, so it may have restarted more often.
  const total = restartCount > Math.max(endCount, 1) ? `${restartCount} times in total` : "";
  if (endCount < 2) return total === "" ? lastRun(past) : `${lastRun(past)}; restarted ${total}`;
  const counts = `ended ${lately(endCount)} in 10 min${total === "" ? "" : `, ${total}`}`;
  return `${counts}; last: ${lastRun(past)}`;
}

function lastRun({ end, livedMs }: Past): string {
  if (end === undefined) return "has ended";
  const saysLife = SAYING_LIFE.has(end.kind) && !end.reason.includes(" after ");
  return livedMs !== undefined && saysLife
    ? `${end.reason} after ${durationText(livedMs)}`
    : end.reason;
}

/** For the other kinds the duration has no meaning, or their reason is already too long. */
const SAYING_LIFE: ReadonlySet<RunEnd["kind"]> = new Set(["exited", "out of memory"]);

/** We do not keep facts about more runs of one container. */
const COUNTED_MAX = 100;

function lately(count: number): string {
  return count > COUNTED_MAX ? `over ${COUNTED_MAX} times` : `${count} times`;
}
