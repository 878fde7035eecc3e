/** The name of this process in `Via` (RFC 9110 §7.6.3): it tells a loop from two proxies in a row. */

/** A name that this process alone has, for as long as it lives. */
export function newPseudonym(): string {
  return `lw-inference-proxy-${crypto.randomUUID().slice(0, 8)}`;
}

/** What this hop adds. Bun does not tell a request's version: 1.1 is what it nearly always is. */
export function viaEntry(pseudonym: string): string {
  return `1.1 ${pseudonym}`;
}
