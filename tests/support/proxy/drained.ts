/** Helpers for tests of drain and undrain on a discovery. */
import type { DrainResult } from "../../../src/fleet/drains.ts";
import type { Discovery } from "./discovery.ts";

export function runOf(result: DrainResult): string {
  if (result.kind !== "done") throw new Error(result.reason);
  return result.run;
}

/** The messages of the log, except level debug. */
export function lines({ log }: Discovery): readonly string[] {
  return log.lines.filter(({ level }) => level !== "debug").map(({ message }) => message);
}
