/** Adds this proxy to `Via`, the list of proxies that a request has passed (RFC 9110 §7.6.3), and detects loops. */
import { viaEntry } from "../ground/pseudonym.ts";
import { errorResponse } from "./own/errors.ts";

/** Two passes are no loop yet: a gateway behind the proxy that renames models sends requests back on purpose. */
const LOOP_TIMES = 3;

/** @returns the answer to a request that comes again and again, because a server behind the proxy sends it back */
export function loopOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) < LOOP_TIMES) return undefined;
  return errorResponse(
    "loop_detected",
    `Cannot route the request: it has passed this proxy ${LOOP_TIMES} times already; a server behind the proxy sends requests back, so change that server's target`,
  );
}

/** Counts how often a request has passed the proxy of this name. */
function timesThrough(headers: Headers, pseudonym: string): number {
  const via = headers.get("via");
  if (via === null) return 0;
  return via.split(",").filter((hop) => receivedBy(hop) === pseudonym).length;
}

/** @returns the second word of `1.1 name (comment)` */
function receivedBy(hop: string): string | undefined {
  return hop.trim().split(/\s+/, 2)[1];
}

/** Adds this proxy to the hops in the header. */
export function appendVia(headers: Headers, pseudonym: string): void {
  headers.append("via", viaEntry(pseudonym));
}

/**
 * @returns the refusal if the proxy asks itself for its model list, through a relay. It must not get the list:
 *   a model that it read from itself would stay forever
 */
export function ownListOf({ headers }: Request, pseudonym: string): Response | undefined {
  if (timesThrough(headers, pseudonym) === 0) return undefined;
  return errorResponse(
    "loop_detected",
    "Cannot list the models: the proxy has asked itself for them; one of its servers leads back to the proxy, so change that server's target",
  );
}
