/**
 * The name of this process in the header `Via` (RFC 9110 §7.6.3). It tells a loop from two proxies in a row.
 */

/** Makes a name that no other process has. */
export function newPseudonym(): string {
  return `lw-inference-proxy-${crypto.randomUUID().slice(0, 8)}`;
}

/** What this proxy adds to `Via`. Bun does not tell a request's HTTP version; nearly always it is 1.1. */
export function viaEntry(pseudonym: string): string {
  return `1.1 ${pseudonym}`;
}
