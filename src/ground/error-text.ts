/** What a thrown value says of itself: its message and its code. Stacks are in error-stack.ts. Pure. */

/** @returns the message; the value as text where it is no Error */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The name that the system or the runtime has for what went wrong: `ECONNREFUSED`, `Malformed_HTTP_Response`.
 *
 * @returns undefined where there is none; the number that a DOMException has as its `code` is none
 */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
