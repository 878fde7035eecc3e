/** The result of a command: texts and an exit code. */
import { reasonLines } from "../ground/reason-lines.ts";

export type CommandResult = {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
};

/** Exit codes. */
export const OK = 0;
export const NOT_WELL = 1;
/** A wrong argument, or no proxy answers. */
export const CANNOT = 2;

/** A result with one line on standard error for each reason. */
export function failed(code: number, ...reasons: readonly string[]): CommandResult {
  return { code, stderr: reasonLines(reasons) };
}
