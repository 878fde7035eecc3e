/** A thrown value → its stack, for a log that is to tell of a bug. Pure. */

/** @returns the stack with its message; the value as text where it has none */
export function stackOf(error: unknown): string {
  return (error instanceof Error && error.stack) || String(error);
}
