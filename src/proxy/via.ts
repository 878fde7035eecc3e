/** The `Via` header says through which proxies a request has come (RFC 9110 §7.6.3): adds us, and detects loops. */
import { viaEntry } from "../ground/pseudonym.ts";
import { errorResponse } from "./own/errors.ts";

/** More than once through us is no loop yet: a gateway behind us that renames models sends requests back on purpose. */
const LOOP_TIMES = 3;

/** @returns the answer to a request that comes again and again, because a server behind us sends to us */
export function loopOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) < LOOP_TIMES) return undefined;
  return errorResponse(
    "loop_detected",
    `Cannot route the request: it has come through this proxy ${LOOP_TIMES} times already; a server behind it sends its requests back to it`,
  );
}

/** Counts how often a request has come through the proxy of this name. */
function timesThrough(headers: Headers, pseudonym: string): number {
  const via = headers.get("via");
  if (via === null) return 0;
  return via.split(",").filter((hop) => receivedBy(hop) === pseudonym).length;
}

/** @returns the second word of `1.1 name (comment)` */
function receivedBy(hop: string): string | undefined {
  return hop.trim().split(/\s+/, 2)[1];
}

/** Adds this proxy to the hops that are there. */
export function appendVia(headers: Headers, pseudonym: string): void {
  headers.append("via", viaEntry(pseudonym));
}

/**
 * @returns the answer if the proxy asks itself for its model list, through a relay. It must not get the list:
 *   a model that it has read from itself would stay for ever
 */
export function ownListOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) === 0) return undefined;
  return errorResponse(
    "loop_detected",
    "Cannot list the models: the proxy has asked itself for them; what it takes for a server leads back to it",
  );
}
