/**
 * Finds the top-level string `model` of a JSON object, at any position, in a body that arrives in pieces.
 * Source: RFC 8259. Pure over bytes. It decodes and keeps only keys and the texts that it looks for. It counts
 * nested levels instead of recursing into them.
 *
 * The states, one for each place in the top-level object:
 *
 *     start ─{─▶ keyOrEnd ─"─▶ inKey ─"─▶ colon ─:─▶ value ─┬─ of a field: " ▶ inText ─"─▶ found, or afterValue
 *                   │            ▲                          ├─ "            ▶ inString ─"─▶ afterValue
 *                   } ▶ missing  "                          ├─ { or [       ▶ inNested, depth 0 ─▶ afterValue
 *                                └── key ◀─,── afterValue ◀─┴─ other byte   ▶ inScalar
 *                                                └─ } ▶ missing
 *
 * White space may come between the tokens, and a byte order mark (inBom) before the object. If a piece ends in
 * a nested string, the state is inString as well; afterwards it returns to inNested.
 *
 * The scanner checks only the top level. It refuses a body at the first byte that it cannot follow. Errors
 * inside a value are left to the backend. That includes brackets: `}` and `]` each close one level, whichever
 * bracket opened it. Checking that would take a bit for every level that a client opens. No parser accepts
 * `{"a":[}`, so finding a model after it does no harm. With duplicate keys, the first one with a text wins.
 * A model that is null or empty counts as no model.
 *
 * On the way it notes other fields of the body (`body-notes.ts`). It reads past the model only when `readOn`
 * is called, with the same states; then it ignores a second model.
 */
import { BodyNotes } from "./body-notes.ts";
import {
  type Field,
  fieldOf,
  KEY_BYTES_MAX,
  TEXT_BYTES_MAX,
  type TextField,
} from "./json-fields.ts";
import { EXPECTED, nextState, type State } from "./json-states.ts";
import { JsonString } from "./json-string.ts";
import {
  CLOSE_BRACE,
  COLON,
  COMMA,
  closes,
  endOf,
  FIRST_BRACKET,
  FIRST_OF_NULL,
  isScalar,
  isSpace,
  levelsOf,
  opens,
  QUOTE,
} from "./json-syntax.ts";
import type { Missing, Verdict } from "./verdict.ts";

export class ModelScanner {
  #state: State = "start";
  /** Bytes of all earlier pieces. */
  #before = 0;
  /** Position in the current piece. */
  #at = 0;
  /** Open brackets in the current value, without the top-level object. */
  #depth = 0;
  readonly #string = new JsonString();
  /** The field of the current key. */
  #field: Field | undefined;
  /** The field whose text it reads now. */
  #textField: TextField = "model";
  /** Offset of that text in the body. */
  #textOffset = 0;
  #reason: Missing = "no model";
  #isFound = false;
  /** It has reached the end of the object, or cannot follow it. */
  #isOver = false;
  readonly notes = new BodyNotes();

  /** @returns the verdict as soon as there is one; then no later piece is needed */
  push(piece: Uint8Array): Verdict | undefined {
    this.#at = 0;
    while (this.#at < piece.length) {
      const verdict = this.#step(piece);
      if (verdict === undefined) continue;
      this.#isFound = verdict.kind === "found";
      return verdict;
    }
    this.#pass();
    return undefined;
  }

  /**
   * Scans on for the notes, after `push` has returned a verdict.
   *
   * @param piece begins at `offset`
   * @param to where the search stops: at the end of the prompt, or of the object
   * @returns true if the search is over; false if it needs more than this piece
   */
  readOn(piece: Uint8Array, to: "prompt" | "object"): boolean {
    this.#pass();
    while (this.#at < piece.length && !this.#hasRead(to)) {
      if (this.#step(piece) !== undefined) this.#isOver = true;
    }
    return this.#hasRead(to);
  }

  /** Called when the body ends without a verdict. */
  end(): Verdict {
    if (this.#before === 0) return { kind: "missing", reason: "no body" };
    return { kind: "invalid", offset: this.#before, expected: EXPECTED[this.#state] };
  }

  /** Offset in the body of the next byte to scan. */
  get offset(): number {
    return this.#before + this.#at;
  }

  #hasRead(to: "prompt" | "object"): boolean {
    return this.#isOver || (to === "prompt" && this.notes.promptEnd !== undefined);
  }

  /** Counts the current piece as scanned. */
  #pass(): void {
    this.#before += this.#at;
    this.#at = 0;
  }

  /** Consumes a byte or more, or changes the state. */
  #step(piece: Uint8Array): Verdict | undefined {
    switch (this.#state) {
      case "inString":
        return this.#skipString(piece);
      case "inNested":
        return this.#skipNested(piece);
      case "inKey":
        return this.#readKey(piece);
      case "inText":
        return this.#readText(piece);
      case "inScalar":
        return this.#skipScalar(piece);
      case "start":
      case "inBom":
      case "keyOrEnd":
      case "key":
      case "colon":
      case "value":
      case "afterValue":
        return this.#readStructure(piece);
    }
  }

  #readStructure(piece: Uint8Array): Verdict | undefined {
    if (this.#state !== "inBom") this.#at = endOf(isSpace, piece, this.#at);
    const byte = piece[this.#at];
    if (byte === undefined) return undefined;
    const state = this.#state;
    const next = state === "value" ? this.#startValue(byte) : nextState(state, byte, this.offset);
    if (next === undefined) return this.#refuse();
    if (next === "end") return this.#missing();
    if (typeof next !== "string") return next;
    this.#state = next;
    if (next !== "inScalar") this.#at += 1;
    if (next === "inText") this.#textOffset = this.offset;
    return undefined;
  }

  #startValue(byte: number): State | Verdict | undefined {
    if (byte === COMMA || byte === COLON || closes(byte)) return undefined;
    const field = this.#field;
    if (field !== undefined) this.notes.valueBegins(field, byte, this.offset);
    if (byte === QUOTE) return this.#startString(field);
    if (field === "model") {
      if (byte !== FIRST_OF_NULL) return { kind: "missing", reason: "not a string" };
      this.#reason = "null";
    }
    if (!opens(byte)) return "inScalar";
    this.#depth = 1;
    return "inNested";
  }

  #startString(field: Field | undefined): State {
    if (field !== "model" && field !== "previous_response_id") return "inString";
    this.#textField = field;
    return "inText";
  }

  #skipNested(piece: Uint8Array): undefined {
    let at = this.#at;
    let depth = this.#depth;
    while (depth > 0 && at < piece.length) {
      const byte = piece[at] ?? 0;
      at += 1;
      if (byte === QUOTE) at = this.#string.skip(piece, at);
      else if (byte >= FIRST_BRACKET) depth += levelsOf(byte); // digits and commas are lower bytes
    }
    this.#at = at;
    this.#depth = depth;
    if (depth === 0) this.#endValue();
    else if (!this.#string.complete) this.#state = "inString"; // the piece ended inside a string
  }

  #skipScalar(piece: Uint8Array): Verdict | undefined {
    this.#at = endOf(isScalar, piece, this.#at);
    const end = piece[this.#at];
    if (end === undefined) return undefined;
    if (!isSpace(end) && end !== COMMA && end !== CLOSE_BRACE) return this.#refuse();
    this.#state = "afterValue"; // that state consumes the byte
    return undefined;
  }

  #skipString(piece: Uint8Array): undefined {
    this.#at = this.#string.skip(piece, this.#at);
    if (!this.#string.complete) return;
    if (this.#depth > 0) this.#state = "inNested";
    else this.#endValue();
  }

  #endValue(): void {
    this.#state = "afterValue";
    this.notes.valueEnds(this.offset);
  }

  #readKey(piece: Uint8Array): undefined {
    this.#at = this.#string.read(piece, this.#at, KEY_BYTES_MAX);
    if (!this.#string.complete) return;
    const field = fieldOf(this.#string);
    this.#field = this.#isFound && field === "model" ? undefined : field;
    this.#state = "colon";
  }

  #readText(piece: Uint8Array): Verdict | undefined {
    const field = this.#textField;
    this.#at = this.#string.read(piece, this.#at, TEXT_BYTES_MAX[field]);
    if (field === "model" && this.#string.tooLong) return { kind: "missing", reason: "too long" };
    if (!this.#string.complete) return undefined;
    this.#state = "afterValue";
    const text = this.#string.text();
    if (field === "model") return this.#judgeModel(text);
    if (text) this.notes.previousResponseId ??= text;
    return undefined;
  }

  /** @param text undefined if it is not a valid JSON string */
  #judgeModel(text: string | undefined): Verdict | undefined {
    if (text === undefined) {
      return { kind: "invalid", offset: this.#textOffset, expected: "a valid JSON string" };
    }
    if (text !== "") return { kind: "found", model: text };
    this.#reason = "empty";
    return undefined;
  }

  #missing(): Verdict {
    this.notes.isComplete = true;
    const missing = { kind: "missing", reason: this.#reason } as const;
    const { previousResponseId } = this.notes;
    return previousResponseId === undefined ? missing : { ...missing, previousResponseId };
  }

  #refuse(): Verdict {
    return { kind: "invalid", offset: this.offset, expected: EXPECTED[this.#state] };
  }
}
