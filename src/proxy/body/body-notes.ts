/**
 * Notes other facts about a JSON body while it is scanned for its model. Keeps offsets and no bytes of the body,
 * because the notes may live as long as the answer. Pure.
 */
import type { Field } from "./json-fields.ts";
import { FIRST_OF_FALSE, FIRST_OF_NULL, opens, QUOTE } from "./json-syntax.ts";

export class BodyNotes {
  #promptStart: number | undefined;
  #promptEnd: number | undefined;
  #hasConversation = false;
  #isBackground = false;
  /** The response that this request continues. With duplicate keys, the first one with a text counts. */
  previousResponseId: string | undefined;
  /** The scan has reached the end of the top-level object, so all its fields are known. */
  isComplete = false;

  /** Offset of the first value of `messages`, `input` or `prompt` that may be a prompt. */
  get promptStart(): number | undefined {
    return this.#promptStart;
  }

  /** Offset after the prompt. Undefined if the scan has not reached its end. */
  get promptEnd(): number | undefined {
    return this.#promptEnd;
  }

  /** The request names a conversation that a server keeps. */
  get hasConversation(): boolean {
    return this.#hasConversation;
  }

  /** The body has `background`, and it is not false or null. Lenient servers also accept 1 and "true" as true. */
  get isBackground(): boolean {
    return this.#isBackground;
  }

  /**
   * @param first byte of the value; each kind of valid value begins with a different byte
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
        break; // the scanner reads their texts
    }
  }

  /** @param offset after the last byte of a top-level string, array or object */
  valueEnds(offset: number): void {
    if (this.#promptStart !== undefined) this.#promptEnd ??= offset;
  }
}
