/** A thrown value → its message and its code. Its stack is in error-stack.ts. Pure. */

/** @returns the message; the value as text where it is no Error */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The system's or the runtime's name for what went wrong: `ECONNREFUSED`, `Malformed_HTTP_Response`.
 *
 * @returns undefined where there is none. A DOMException has a number as its `code`: that is no name.
 */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
