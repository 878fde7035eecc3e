/**
 * Says in words for people why a container is not healthy, or why it does not run. Pure. It does
 * not decide whether that is so.
 */
import type { Container } from "../../engine/container.ts";
import type { Present, Sighting } from "../sighting.ts";

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
export function notRunning(container: Container): Absence {
  const { status, exitCode, outOfMemory, startError } = container;
  const ended = outOfMemory
    ? `it ran out of memory (exit code ${exitCode})`
    : `exited with code ${exitCode}`;
  switch (status) {
    case "restarting":
      return { state: "restarting", reason: `${ended}; the engine starts it again` };
    case "created":
      return {
        state: "stopped",
        reason: startError === "" ? "never started" : `could not be started: ${startError}`,
      };
    case "exited":
      return { state: "stopped", reason: startError === "" ? ended : `${ended}: ${startError}` };
    case "removing":
      return { state: "stopped", reason: "being removed" };
    default:
      return { state: "stopped", reason: `the engine calls it "${status}"` };
  }
}
