/**
 * Takes a small body as one piece if all of it has come by the time the handler looks, as nearly all have.
 * That takes half of the CPU time of reading a stream (tests/bench/README.md).
 */
import type { BodyReader } from "./upload-reader.ts";

/** What fits into a few TCP segments. A larger body would seldom be there yet. */
const WHOLE_BYTES_MAX = 64 * 1024;

/**
 * Asks a copy of the request for its body. If the copy has the body at once, all of it has come. If not, the
 * request itself can still be read piece by piece, which tells a slow client from a silent one; what has come
 * is then kept twice for a while.
 *
 * @returns undefined if there is no body, or not all of it has come
 */
export async function wholeBody(request: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.method !== "POST" || !(length > 0 && length <= WHOLE_BYTES_MAX)) return undefined;
  await turn(); // Bun delivers the body after it has called the handler
  const bytes = request.clone().bytes();
  bytes.catch(() => undefined); // the client has gone: whoever reads the request itself gets the error
  const hasCome = Bun.peek.status(bytes) === "fulfilled";
  return hasCome ? (bytes as Promise<Uint8Array<ArrayBuffer>>) : undefined; // never shared
}

let nextTurn: Promise<void> | undefined;

/** Requests that have come together wait together. */
function turn(): Promise<void> {
  nextTurn ??= new Promise((resolve) => {
    setImmediate(() => {
      nextTurn = undefined;
      resolve();
    });
  });
  return nextTurn;
}

/** Gives a whole body on to those that read pieces. Tells nobody whose turn it is: there is nothing to wait for. */
export class BytesReader implements BodyReader {
  /** Undefined once it has been read: the reader lives as long as the answer, and the body need not. */
  #whole: Uint8Array | undefined;
  #bytes = 0;

  constructor(whole: Uint8Array) {
    this.#whole = whole;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async read(): ReturnType<BodyReader["read"]> {
    const value = this.#whole;
    if (value === undefined) return { done: true };
    this.#whole = undefined;
    this.#bytes = value.length;
    return { done: false, value };
  }

  answered(): void {
    // Nothing more is to come.
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }
}
