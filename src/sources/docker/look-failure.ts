/** Logs that a container could not be looked at. */
import type { EngineError } from "../../engine/error.ts";
import type { Log } from "../../telemetry/log.ts";

/** @param container its name */
export function logLookFailure(
  log: Log,
  container: string,
  { kind, message: reason }: EngineError,
): void {
  // docker.ts and follow.ts say once that the engine is away, or forbids this. Here each
  // container would repeat it.
  const message = "cannot inspect a container; keeping what is known of it";
  log[kind === "refused" ? "warn" : "debug"](message, { container, reason });
}
