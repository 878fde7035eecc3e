/** Formats reasons as lines for standard error. Pure. */
import { printable } from "./printable.ts";

/** One line for each reason. Each line begins with the name of the program. */
export function reasonLines(reasons: readonly string[]): string {
  return reasons.map((reason) => `lw-inference-proxy: ${printable(reason)}\n`).join("");
}
