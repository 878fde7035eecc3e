/**
 * Makes the client's answer of the backend's: status, headers and bytes as they came. How a body is passed
 * on is in `answer-body.ts`.
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

/** The answer to a request, and who made it. `socket`: it is a WebSocket now, there is nothing to answer. */
export type Answer =
  | { readonly by: "backend" | "proxy"; readonly response: Response }
  | { readonly by: "socket"; readonly response?: undefined };

export function ofOurs(response: Response): Answer {
  return { response, by: "proxy" };
}

/** An answer of known length up to this is read whole. Only then does it keep its Content-Length. */
const WHOLE_BYTES_MAX = 1024 * 1024;

/** Says whether the backend's status can be sent on: 600 and more are none (RFC 9110 §15). */
export function isUsable({ status }: Pick<Response, "status">): boolean {
  return status >= 200 && status <= 599;
}

/**
 * @param upstream loses the headers that end here; must have a status that `isUsable`
 * @param opened its body, if some of it was read already
 */
export async function answerOf(
  upstream: Response,
  method: string,
  watch: BodyWatch,
  opened?: Opened,
): Promise<Response> {
  // Chunked wins over a length (RFC 9112 §6.3), and tells no length.
  const chunked = upstream.headers.has("transfer-encoding");
  const init = { status: upstream.status, headers: keepEndToEnd(upstream.headers) };
  if (upstream.body === null || method === "HEAD") {
    const response = new Response(null, init);
    watch.ended({ bytes: 0 });
    return response;
  }
  const length = chunked
    ? Number.NaN
    : Number(upstream.headers.get("content-length") ?? Number.NaN);
  const body =
    length <= WHOLE_BYTES_MAX
      ? await whole(upstream, watch, opened)
      : watchBody(opened ?? open(upstream.body), watch);
  const response = new Response(body, init);
  watch.waitFor("client");
  return response;
}

function bytesOf(upstream: Response): Promise<Uint8Array<ArrayBuffer>> {
  return upstream.bytes() as Promise<Uint8Array<ArrayBuffer>>; // never shared
}

/**
 * Reads the whole body. If it breaks off, returns a stream that fails, so that the client's connection is
 * aborted.
 */
async function whole(
  upstream: Response,
  watch: BodyWatch,
  opened: Opened | undefined,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  watch.waitFor("read");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = opened === undefined ? await bytesOf(upstream) : await readAll(opened);
  } catch (error) {
    watch.ended({ bytes: 0, error });
    return new ReadableStream({ pull: (controller) => breakOff(controller, error) });
  }
  watch.passing?.(bytes);
  const end = { bytes: bytes.length };
  watch.ended(watch.keepsPieces ? { ...end, lastPieces: [bytes] } : end);
  return bodyOf(bytes, upstream.headers);
}
