/**
 * What fetch is given of a request's body. Bytes cost it a tenth less than a stream, and never a new
 * connection; but it keeps them until the answer has ended, which may take minutes. So they go as they
 * are where they are few, and as long as not too many are kept of all requests together.
 */
import { onePiece } from "./body.ts";
import type { RequestBody } from "./request-body.ts";

export type Payload = {
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** Fetch keeps it no longer: the answer has ended, or there is none. May be called again. */
  readonly release: () => void;
};

/** Up to this it is never worth a stream. */
const FEW_BYTES = 16 * 1024;

/** Of all requests together: a hundred of a coding agent's. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

const NOTHING = (): void => undefined;

export class Payloads {
  readonly #max: number;
  #kept = 0;

  /** @param keptMax bytes */
  constructor(keptMax = KEPT_BYTES_MAX) {
    this.#max = keptMax;
  }

  /** Bytes that are kept of all requests. */
  get kept(): number {
    return this.#kept;
  }

  of(body: RequestBody): Payload {
    if (body === undefined) return { body: null, release: NOTHING };
    if (!(body instanceof Uint8Array) || body.length <= FEW_BYTES) {
      return { body, release: NOTHING };
    }
    if (this.#kept + body.length > this.#max) return { body: onePiece(body), release: NOTHING };
    let { length } = body;
    this.#kept += length;
    return {
      body,
      release: () => {
        this.#kept -= length;
        length = 0;
      },
    };
  }
}
