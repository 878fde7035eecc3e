/** A thrown value → its stack, for log lines that report a bug. Message and code are in error-text.ts. Pure. */

/** @returns the stack, which begins with the message; the value as text where there is no stack */
export function stackOf(error: unknown): string {
  return (error instanceof Error && error.stack) || String(error);
}
