/**
 * Takes a small body as one piece if all of it has come by the time the handler looks. This is so for nearly all
 * small bodies. It takes half the CPU time of reading a stream (tests/bench/README.md).
 */
import type { BodyReader } from "./upload-reader.ts";

/** Fits into a few TCP segments. A larger body is rarely complete when the handler looks. */
const WHOLE_BYTES_MAX = 64 * 1024;

/**
 * Reads the body from a clone of the request. If the clone has it at once, the whole body has come. If not, the
 * proxy can still read the request itself piece by piece, and so tell a slow client from a silent one. The bytes
 * received so far are then in memory twice for a while.
 *
 * @returns undefined if there is no body, or part of it is still missing
 */
export async function wholeBody(request: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.method !== "POST" || !(length > 0 && length <= WHOLE_BYTES_MAX)) return undefined;
  await turn(); // Bun delivers the body after it has called the handler
  const bytes = request.clone().bytes();
  bytes.catch(() => undefined); // the client has gone: reading the request itself throws the error
  const hasCome = Bun.peek.status(bytes) === "fulfilled";
  return hasCome ? (bytes as Promise<Uint8Array<ArrayBuffer>>) : undefined; // never shared
}

let nextTurn: Promise<void> | undefined;

/** Requests that arrive together share one wait. */
function turn(): Promise<void> {
  nextTurn ??= new Promise((resolve) => {
    setImmediate(() => {
      nextTurn = undefined;
      resolve();
    });
  });
  return nextTurn;
}

/** Serves a whole body to code that reads pieces. Reports no turns, because there is nothing to wait for. */
export class BytesReader implements BodyReader {
  /** Undefined once it was read: the reader lives as long as the answer, but the body need not. */
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
    // Nothing to do: the whole body has come.
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }
}
