/** What a command comes to: texts and an exit code. Writes nothing and ends nothing. */
import { reasonLines } from "../ground/reason-lines.ts";

export type CommandResult = {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
};

/** Exit codes. */
export const OK = 0;
export const NOT_WELL = 1;
/** A wrong argument, or nothing to ask. */
export const CANNOT = 2;

/** A result with one line for each reason, on standard error. */
export function failed(code: number, ...reasons: readonly string[]): CommandResult {
  return { code, stderr: reasonLines(reasons) };
}
