/**
 * Handles a server that declines a request for now, with 429 or 503: how long the proxy sends it no new requests, and
 * a copy of its answer. The client gets the copy if no other replica takes the request.
 */

import { bodyOf } from "./answer-body.ts";
import { endToEndHeaders } from "./headers.ts";

/** The longest answer that is copied. Servers send one line of JSON. */
const BYTES_MAX = 64 * 1024;
/** The longest time for reading the body. */
const READ_MS = 1_000;

export function isDeclined({ status }: Response): boolean {
  return status === 429 || status === 503;
}

/** How long a server gets no new requests after it declined or failed one, ms. */
export const COOL_MS = 1_000;
const COOL_MS_MAX = 5_000;

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3).
 *
 * @param nowMs since the epoch
 * @returns how long to send the server no new requests, ms
 */
export function coolMsOf(headers: Headers, nowMs: number): number {
  const value = headers.get("retry-after")?.trim() ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return ms > 0 ? Math.min(ms, COOL_MS_MAX) : COOL_MS;
}

/**
 * Copies a short answer, so that its connection and its lease can be released.
 *
 * @returns undefined if the answer is long or slow
 * @throws if the answer breaks off
 */
export async function copyOf(answer: Response, readMs = READ_MS): Promise<Response | undefined> {
  const headers = endToEndHeaders(answer.headers);
  const { status } = answer;
  if (answer.body === null) return new Response(null, { status, headers });
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, readMs);
  try {
    const read = readShort(answer.body);
    read.catch(() => undefined); // it fails when the caller ends the request
    const bytes = await Promise.race([read, late.promise]);
    if (bytes === undefined) return undefined;
    return new Response(bodyOf(bytes, headers), { status, headers });
  } finally {
    clearTimeout(timer);
  }
}

/** @returns undefined if the body is long */
async function readShort(
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > BYTES_MAX) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
