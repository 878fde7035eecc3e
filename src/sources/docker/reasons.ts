/**
 * Says in words for people why a container is not healthy, or why it does not run. Pure. It does
 * not decide whether that is so.
 */
import type { Container } from "../../engine/container.ts";
import type { Present, Sighting } from "../sighting.ts";

type Absence = Pick<Extract<Sighting, { readonly kind: "absent" }>, "state" | "reason">;

/** For a container that runs, but is paused or has failed its last probe. */
export function notHealthy({ status, probeOutput }: Container): Present["trouble"] {
  return status === "paused"
    ? { state: "paused", reason: "paused; docker unpause has it routed again" }
    : {
        state: "unhealthy",
        reason: `its health check fails: ${probeOutput || "it prints nothing"}`,
      };
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
