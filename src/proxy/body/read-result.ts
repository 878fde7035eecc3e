/** What reading the body of a request comes to, whichever way it was read: types alone, and what says nothing. */
import type { Upload } from "../exchange.ts";
import type { Verdict } from "./verdict.ts";

/** What is to be sent on. */
export type RequestBody =
  | { readonly kind: "none" }
  /** All of it is at hand: it can be sent again. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Comes as it is read: it can be sent once. A piece holds its bytes only until the next is asked for: fetch copies it. */
  | { readonly kind: "stream"; readonly stream: ReadableStream<Uint8Array> };

/**
 * How far a body is read on once its model is known.
 * - `model`: no further.
 * - `prompt`: to the end of its prompt, in the bytes that are at hand anyway.
 * - `object`: to the end of its top-level object, as far as it may be kept.
 */
export type ReadTo = "model" | "prompt" | "object";

/** What a body says beside its model, as far as it was read. */
export type Told = {
  /** The value of `messages`, `input` or `prompt`, its bytes as they came: the first of them, 1 MiB at most. */
  readonly prompt?: Uint8Array | undefined;
  /** The response that the request goes on from. */
  readonly previousResponseId?: string | undefined;
  /** It names a conversation that a server keeps. */
  readonly hasConversation: boolean;
  /** The server is to answer at once, and to work on it afterwards; also if that is not known. */
  readonly mayBeBackground: boolean;
};

export type ReadResult = Upload & {
  readonly verdict:
    | Verdict
    /** The body is neither JSON nor multipart, and does not claim to be; or it is a form that is not searched. */
    | { readonly kind: "other" }
    /** Too many bytes came before the model: `too much` of this request, `overloaded` of all together. */
    | { readonly kind: "too much" | "overloaded" };
  /** Gives on all of the body, what was read included. Call this once, or `discard`. */
  readonly body: (to?: ReadTo) => RequestBody | Promise<RequestBody>;
  /**
   * Reads on in a body that is to be sent on as a stream, as far as it has come, and keeps that. So it shows whether the
   * client is still there. Waits for no client.
   *
   * @throws the stream's error if the client has gone
   */
  readonly readOn: () => Promise<void>;
  /**
   * To be called when `body()` has resolved: says what was found as far as that has read on, and nothing if it
   * has read no further than the model. The prompt is told as long as the body has not been sent on; of bytes
   * it is a view, of a stream a copy.
   */
  readonly told: () => Told;
};

export const NOTHING_TOLD: Told = { hasConversation: false, mayBeBackground: false };
