/** The only fetch that sends requests to backends. Tells I/O failures from bugs of ours. */
import { errorCode } from "../ground/error-text.ts";
import { isUsable } from "./answer.ts";
import type { Payload } from "./body/payload.ts";
import type { ConnectionPool } from "./connections.ts";

export function requestInit(
  method: string,
  headers: Headers,
  { body }: Payload,
  { signal, pool }: { readonly signal: AbortSignal; readonly pool: ConnectionPool | undefined },
): BunFetchRequestInit {
  const init: BunFetchRequestInit = {
    method,
    headers,
    body,
    redirect: "manual",
    decompress: false,
    timeout: false, // the proxy sets no limit on a slow first token or a silent stream
    proxy: false,
    signal,
  };
  if (pool === undefined) init.keepalive = false;
  else init.session = pool.session;
  return init;
}

export type Asked =
  | { readonly kind: "answer"; readonly upstream: Response }
  | { readonly kind: "no answer"; readonly error: unknown };

/** @throws only on a bug of ours, not on an I/O failure */
export async function ask(url: string, init: BunFetchRequestInit): Promise<Asked> {
  try {
    const upstream = await fetch(url, init);
    if (isUsable(upstream)) return { kind: "answer", upstream };
    return { kind: "no answer", error: new RangeError(`status ${upstream.status}`) };
  } catch (error) {
    if (init.signal?.aborted || isFailureOfIo(error)) return { kind: "no answer", error };
    throw error;
  }
}

/** Node's error codes for a wrong argument. Arguments come from us only. */
const WRONG_ARGUMENT = /^ERR_(?:INVALID_(?:ARG|URL|THIS)|HTTP_INVALID|OUT_OF_RANGE)/;

/**
 * Every I/O failure of fetch has a code (ECONNRESET, Malformed_HTTP_Response …: measured, 1.4.5). A TypeError of ours
 * has none.
 */
function isFailureOfIo(error: unknown): boolean {
  if (error instanceof DOMException) return true; // the client that sent the body has gone
  const code = errorCode(error);
  return code !== undefined && !WRONG_ARGUMENT.test(code);
}
