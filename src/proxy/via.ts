/** The `Via` header: through which proxies a request has come. RFC 9110 §7.6.3. */

import { errorResponse } from "./errors.ts";

/** A gateway behind us that renames models sends a request back to us on purpose, once. */
const LOOP_TIMES = 3;

/** A name that this process alone has, for as long as it lives: it tells a loop from two proxies in a row. */
export function newPseudonym(): string {
  return `lw-inference-proxy-${crypto.randomUUID().slice(0, 8)}`;
}

/** @returns the answer to a request that comes again and again: something behind us sends to us */
export function loopOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) < LOOP_TIMES) return undefined;
  return errorResponse(
    "loop_detected",
    `Cannot route the request: it has come through this proxy ${LOOP_TIMES} times already; a server behind it sends its requests back to it`,
  );
}

/** How often a request has come through the proxy of this name. */
function timesThrough(headers: Headers, pseudonym: string): number {
  const via = headers.get("via");
  if (via === null) return 0;
  return via.split(",").filter((hop) => receivedBy(hop) === pseudonym).length;
}

/** `1.1 name (comment)`: the second word. */
function receivedBy(hop: string): string | undefined {
  return hop.trim().split(/\s+/, 2)[1];
}

/** Adds this hop to those that are there. Bun does not tell a request's version: 1.1 is what it nearly always is. */
export function appendVia(headers: Headers, pseudonym: string): void {
  headers.append("via", `1.1 ${pseudonym}`);
}
