/**
 * Makes the answer to the client from the backend's answer: same status, headers and bytes. `answer-body.ts` passes
 * the body on.
 */
import {
  type BodyWatch,
  bodyOf,
  breakOff,
  type Opened,
  open,
  readAll,
  watchBody,
} from "./answer-body.ts";
import { keepEndToEnd } from "./headers.ts";

/** The answer to a request, and who made it. `socket`: the connection is a WebSocket now and needs no answer. */
export type Answer =
  | { readonly by: "backend" | "proxy"; readonly response: Response }
  | { readonly by: "socket"; readonly response?: undefined };

export function ofOurs(response: Response): Answer {
  return { response, by: "proxy" };
}

/** An answer with a known length up to this is read whole, and keeps its Content-Length. A longer one loses it. */
const WHOLE_BYTES_MAX = 1024 * 1024;

/** Says whether the proxy can pass the backend's status on. 600 and above are not valid (RFC 9110 §15). */
export function isUsable({ status }: Pick<Response, "status">): boolean {
  return status >= 200 && status <= 599;
}

/**
 * @param upstream loses its hop-by-hop headers; its status must be usable (see `isUsable`)
 * @param opened its body, if a part was read already
 */
export function answerOf(
  upstream: Response,
  method: string,
  watch: BodyWatch,
  opened?: Opened,
): Response | Promise<Response> {
  const length = lengthOf(upstream.headers);
  keepEndToEnd(upstream.headers);
  // Reads `upstream.body` last: once its stream exists, every read goes through the stream, which costs more.
  if (length > 0 && length <= WHOLE_BYTES_MAX && mayHaveBody(upstream, method)) {
    return whole(upstream, watch, opened);
  }
  if (upstream.body === null || method === "HEAD") {
    const response = answerWith(null, upstream);
    watch.ended({ bytes: 0 });
    return response;
  }
  const response = answerWith(watchBody(opened ?? open(upstream.body), watch), upstream);
  watch.waitFor("client");
  return response;
}

/** @returns NaN if the length is unknown. Chunked overrides Content-Length (RFC 9112 §6.3) */
function lengthOf(headers: Headers): number {
  return headers.has("transfer-encoding")
    ? Number.NaN
    : Number(headers.get("content-length") ?? Number.NaN);
}

/** RFC 9110 §6.4.1: answers to HEAD or with these statuses have no body, even if they have a Content-Length. */
function mayHaveBody({ status }: Response, method: string): boolean {
  return method !== "HEAD" && status !== 204 && status !== 205 && status !== 304;
}

function bytesOf(upstream: Response): Promise<Uint8Array<ArrayBuffer>> {
  return upstream.bytes() as Promise<Uint8Array<ArrayBuffer>>; // never shared
}

/** Reads the whole body. If it breaks off, the answer's stream fails, so that Bun aborts the client's connection. */
async function whole(
  upstream: Response,
  watch: BodyWatch,
  opened: Opened | undefined,
): Promise<Response> {
  watch.waitFor("read");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = opened === undefined ? await bytesOf(upstream) : await readAll(opened);
  } catch (error) {
    watch.ended({ bytes: 0, error });
    const broken = new ReadableStream({ pull: (controller) => breakOff(controller, error) });
    return answerWith(broken, upstream);
  }
  watch.passing?.(bytes);
  const { length } = bytes;
  watch.ended(watch.keepsPieces ? { bytes: length, lastPieces: [bytes] } : { bytes: length });
  return answerWith(bodyOf(bytes, upstream.headers), upstream);
}

function answerWith(body: Bun.BodyInit | null, { status, headers }: Response): Response {
  return new Response(body, { status, headers });
}
