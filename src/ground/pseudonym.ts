/**
 * The name of this process in the header `Via` (RFC 9110 §7.6.3). With it the proxy can tell a loop from a
 * chain of two proxies.
 */

/** Makes a unique name. */
export function newPseudonym(): string {
  return `lw-inference-proxy-${crypto.randomUUID().slice(0, 8)}`;
}

/**
 * The entry that this proxy adds to `Via`. Bun hides the HTTP version of a request; it is nearly always 1.1.
 */
export function viaEntry(pseudonym: string): string {
  return `1.1 ${pseudonym}`;
}
