/**
 * What a JSON body says beside its model, as far as it was scanned. Keeps offsets, and no bytes of the body: it
 * may live as long as the answer. Pure.
 */
import type { Field } from "./json-fields.ts";
import { FIRST_OF_FALSE, FIRST_OF_NULL, opens, QUOTE } from "./json-syntax.ts";

export class BodyNotes {
  #promptStart: number | undefined;
  #promptEnd: number | undefined;
  #hasConversation = false;
  #isBackground = false;
  /** The response that the request goes on from. Of duplicate keys the first with a text. */
  previousResponseId: string | undefined;
  /** The end of the top-level object was reached: no field of it is unknown. */
  isComplete = false;

  /** Where the value of `messages`, `input` or `prompt` begins in the body: the first that may be a prompt. */
  get promptStart(): number | undefined {
    return this.#promptStart;
  }

  /** Where it ends. Undefined if the end was not reached. */
  get promptEnd(): number | undefined {
    return this.#promptEnd;
  }

  /** The request names a conversation that a server keeps. */
  get hasConversation(): boolean {
    return this.#hasConversation;
  }

  /** `background` is there, and neither false nor null: lenient servers take 1 and "true" for true as well. */
  get isBackground(): boolean {
    return this.#isBackground;
  }

  /**
   * @param first byte of the value; no two kinds of valid values begin alike
   * @param offset of that byte in the body
   */
  valueBegins(field: Field, first: number, offset: number): void {
    switch (field) {
      case "messages":
      case "input":
      case "prompt":
        if (first === QUOTE || opens(first)) this.#promptStart ??= offset;
        break;
      case "background":
        if (first !== FIRST_OF_FALSE && first !== FIRST_OF_NULL) this.#isBackground = true;
        break;
      case "conversation":
        if (first !== FIRST_OF_NULL) this.#hasConversation = true;
        break;
      case "model":
      case "previous_response_id":
        break; // their texts are read
    }
  }

  /** @param offset behind the last byte of a top-level string, array or object */
  valueEnds(offset: number): void {
    if (this.#promptStart !== undefined) this.#promptEnd ??= offset;
  }
}
