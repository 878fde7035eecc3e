/** What a body says of where its request goes, whichever scanner has read it: types and limits alone. */

/** The reason why a body names no model. */
export type Missing = "no body" | "no model" | "null" | "empty" | "not a string" | "too long";

/** How long a model may be as it is written in a JSON body or a form. Real names have about a hundred bytes. */
export const MODEL_BYTES_MAX = 64 * 1024;

export type Verdict =
  | { readonly kind: "found"; readonly model: string }
  | {
      readonly kind: "missing";
      readonly reason: Missing;
      /** The response that the request goes on from, if a JSON body names one. */
      readonly previousResponseId?: string;
    }
  /** `offset` in bytes from the start of the body. */
  | { readonly kind: "invalid"; readonly offset: number; readonly expected: string };
