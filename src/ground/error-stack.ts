/**
 * The stack of a thrown value, for log lines that report a bug. Message and code are in error-text.ts. Pure.
 */

/** @returns the stack, which begins with the message; the value as text if it has no stack */
export function stackOf(error: unknown): string {
  return (error instanceof Error && error.stack) || String(error);
}
