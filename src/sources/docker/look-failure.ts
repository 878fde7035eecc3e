/** Logs that a container could not be looked at. */

import type { EngineError } from "../../engine/error.ts";
import { sentence } from "../../ground/sentence.ts";
import type { Log } from "../../telemetry/log.ts";

/** @param container its name */
export function logLookFailure(
  log: Log,
  container: string,
  { kind, message: reason }: EngineError,
): void {
  // docker.ts and follow.ts log once that the engine does not answer, or forbids this. Here we would
  // repeat it for each container.
  log[kind === "refused" ? "warn" : "debug"]("container look failed", {
    container,
    reason: `${sentence(reason)} The proxy keeps the last known state of this container and tries again.`,
  });
}
