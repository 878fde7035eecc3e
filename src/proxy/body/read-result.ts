/** The result of reading a request's body, in one piece or in several. Types only, and the empty result. */
import type { Upload } from "../exchange.ts";
import type { Verdict } from "./verdict.ts";

/** The body to send to the server. */
export type RequestBody =
  | { readonly kind: "none" }
  /** The whole body is in memory, so the proxy can send it again. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Can be sent only once. A piece holds its bytes only until the next one is pulled; fetch copies it. */
  | { readonly kind: "stream"; readonly stream: ReadableStream<Uint8Array> };

/**
 * How far to read a body once its model is known.
 * - `model`: no further.
 * - `prompt`: to the end of the prompt, but only in bytes that have already come.
 * - `object`: to the end of the top-level object, as far as there is room to keep it.
 */
export type ReadTo = "model" | "prompt" | "object";

/** Other facts that the proxy found in a body, as far as it has read. */
export type Told = {
  /** The raw bytes of the value of `messages`, `input` or `prompt`, whichever comes first; 1 MiB at most. */
  readonly prompt?: Uint8Array | undefined;
  /** The response that this request continues. */
  readonly previousResponseId?: string | undefined;
  /** The body names a conversation that a server keeps. */
  readonly hasConversation: boolean;
  /** The body asks the server to answer at once and do the work later. Also true if the proxy does not know. */
  readonly mayBeBackground: boolean;
};

export type ReadResult = Upload & {
  readonly verdict:
    | Verdict
    /** The body is not JSON or multipart and does not claim to be. Or it is a form that the proxy does not search. */
    | { readonly kind: "other" }
    /** The body is a form, but its Content-Type names no boundary between the fields. */
    | { readonly kind: "no boundary" }
    /** Too many bytes came before the model: `too much` for this request, `overloaded` for all requests together. */
    | { readonly kind: "too much" | "overloaded" };
  /** Hands over the whole body, including the bytes already read. Call either this or `discard`, once. */
  readonly body: (to?: ReadTo) => RequestBody | Promise<RequestBody>;
  /**
   * Reads and keeps the bytes of a streamed body that have come meanwhile. This shows whether the client is still
   * connected. Never waits for the client.
   *
   * @throws the stream's error if the client has gone
   */
  readonly readOn: () => Promise<void>;
  /**
   * Call this after `body()` has resolved. Returns the facts found as far as `body()` read on; nothing if it read
   * only as far as the model. The prompt is available until the body is sent: a view of bytes, a copy of a stream.
   */
  readonly told: () => Told;
};

export const NOTHING_TOLD: Told = { hasConversation: false, mayBeBackground: false };
