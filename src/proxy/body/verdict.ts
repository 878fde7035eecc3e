/** The result of searching a body for its model. Both scanners (JSON and multipart) use it. Types and limits only. */

/** The reason why a body names no model. */
export type Missing = "no body" | "no model" | "null" | "empty" | "not a string" | "too long";

/** The longest model, in bytes as written in a JSON body or a form. Real names have about a hundred bytes. */
export const MODEL_BYTES_MAX = 64 * 1024;

export type Verdict =
  | { readonly kind: "found"; readonly model: string }
  | {
      readonly kind: "missing";
      readonly reason: Missing;
      /** The `previous_response_id` of a JSON body, if it has one. */
      readonly previousResponseId?: string;
    }
  /** `offset` counts bytes from the start of the body. */
  | { readonly kind: "invalid"; readonly offset: number; readonly expected: string };
