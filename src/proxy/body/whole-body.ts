/**
 * Small bodies that have come by the time the handler looks, as nearly all do: Bun hands them out as one
 * piece for half of the CPU time that their stream takes (tests/bench/README.md).
 */
import type { BodyReader } from "./upload-reader.ts";

/** Of what fits into a few segments: a larger one would seldom be there yet. */
const WHOLE_BYTES_MAX = 64 * 1024;

/**
 * A body that is asked for whole can't be read piece by piece any more, and would not tell a slow client
 * from a silent one. So a copy of the request is asked: if that has it at once, it is all there; if not,
 * the request itself is still to be read, and what has come is kept twice for a while.
 *
 * @returns undefined if there is no body, or not all of it has come
 */
export async function wholeBody(request: Request): Promise<BodyReader | undefined> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.method !== "POST" || !(length > 0 && length <= WHOLE_BYTES_MAX)) return undefined;
  await turn(); // the body is delivered after the handler was called
  const bytes = request.clone().bytes();
  bytes.catch(() => undefined); // the client has gone: whoever reads the request itself hears of it
  return Bun.peek.status(bytes) === "fulfilled" ? new WholeBodyReader(await bytes) : undefined;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Nobody waits for the client any more, so it is nobody's turn. */
class WholeBodyReader implements BodyReader {
  /** Undefined once it is read: the reader lives as long as the answer, and the body need not. */
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
