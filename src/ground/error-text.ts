/** A thrown value → its message and its code. Its stack is in error-stack.ts. Pure. */

/** @returns the message; for a value that is not an Error, the value as text */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The error code of the system or the runtime: `ECONNREFUSED`, `Malformed_HTTP_Response`.
 *
 * @returns undefined if the error has no code. The `code` of a DOMException is a number and does not count.
 */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
