/**
 * Decides in which form fetch gets a request's body. Bytes cost a tenth less CPU time than a stream, and never
 * a new connection; but fetch keeps them until the answer has ended, which may take minutes. So fetch gets
 * bytes as long as it does not keep too many of all requests together, and else a stream. (It copies
 * bytes: a body at hand counts twice until its answer begins.)
 */
import { onePiece } from "../answer-body.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import type { RequestBody } from "./read-result.ts";

export type Payload = {
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** To be called when fetch keeps the body no longer: the answer has ended, or there is none. Counts once. */
  readonly release: () => void;
};

/** Of all requests together: enough for a hundred requests of a coding agent. */
const FETCH_KEPT_BYTES_MAX = 32 * 1024 * 1024;

const NOTHING = (): void => undefined;

export class Payloads {
  readonly #kept: KeptBytes;
  readonly #max: number;
  #fetchKept = 0;

  /**
   * @param kept counts what is kept of bodies in all
   * @param fetchKeptMax most bytes that fetch may keep of all requests
   */
  constructor(kept: KeptBytes, fetchKeptMax = FETCH_KEPT_BYTES_MAX) {
    this.#kept = kept;
    this.#max = fetchKeptMax;
  }

  of(body: RequestBody): Payload {
    switch (body.kind) {
      case "none":
        return { body: null, release: NOTHING };
      case "stream":
        return { body: body.stream, release: NOTHING };
      case "bytes":
        return this.#ofBytes(body.bytes);
    }
  }

  #ofBytes(body: Uint8Array<ArrayBuffer>): Payload {
    let { length } = body;
    const fits = this.#fetchKept + length <= this.#max;
    const end = fits ? this.#kept.reserve(length) : undefined;
    if (end === undefined) return { body: onePiece(body), release: NOTHING };
    this.#fetchKept += length;
    return {
      body,
      release: () => {
        end();
        this.#fetchKept -= length;
        length = 0;
      },
    };
  }
}
