/** The `Via` header: through which proxies a request has come. RFC 9110 §7.6.3. */

import { viaEntry } from "../ground/pseudonym.ts";
import { errorResponse } from "./own/errors.ts";

/** A gateway behind us that renames models sends a request back to us on purpose, once. */
const LOOP_TIMES = 3;

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

/** Adds this hop to those that are there. */
export function appendVia(headers: Headers, pseudonym: string): void {
  headers.append("via", viaEntry(pseudonym));
}

/**
 * @returns the answer to a list of models that the proxy asks itself for, through a relay: a model that it
 *   read from itself would never go
 */
export function ownListOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) === 0) return undefined;
  return errorResponse(
    "loop_detected",
    "Cannot list the models: the proxy has asked itself for them; what it takes for a server leads back to it",
  );
}
