/**
 * Finds the top-level string `model` of a JSON object, wherever it stands, in a body that comes
 * in pieces. Source: RFC 8259. Pure over bytes: it decodes and keeps only keys and the texts that it looks
 * for, and counts nested levels instead of recursing into them.
 *
 * The way through a body, one state for each place in the top-level object:
 *
 *     start ─{─▶ keyOrEnd ─"─▶ inKey ─"─▶ colon ─:─▶ value ─┬─ of a field: " ▶ inText ─"─▶ found, or afterValue
 *                   │            ▲                          ├─ "            ▶ inString ─"─▶ afterValue
 *                   } ▶ missing  "                          ├─ { or [       ▶ inNested, depth 0 ─▶ afterValue
 *                                └── key ◀─,── afterValue ◀─┴─ else         ▶ inScalar
 *                                                └─ } ▶ missing
 *
 * White space may stand between them, and a byte order mark (inBom) before them. If a piece ends in a
 * nested string, the state is inString too, and goes back to inNested.
 *
 * Checks only the top level: it refuses a body where it can't follow it any further. What is wrong inside
 * a value is for the backend to judge. That includes brackets: `}` and `]` each end one level, whichever
 * bracket began it; to know that would take a bit for every level that a client opens. No parser accepts
 * `{"a":[}`, so it does no harm to find a model behind it. Of duplicate keys the first that has a text wins.
 * A model that is null or empty counts as none.
 *
 * On its way it notes what else a body says (`body-notes.ts`). What comes after the model is read only if
 * somebody asks for it, by the same way; a second model counts for nothing then.
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
  /** How many bytes the pieces before this one have. */
  #before = 0;
  /** Position in the piece at hand. */
  #at = 0;
  /** How many brackets of the current value are open, the top-level object not counted. */
  #depth = 0;
  readonly #string = new JsonString();
  /** The field of the key at hand. */
  #field: Field | undefined;
  /** The field whose text is read. */
  #textField: TextField = "model";
  /** Where that text begins in the body. */
  #textOffset = 0;
  #reason: Missing = "no model";
  #isFound = false;
  /** It has reached the end of the object, or can't follow it. */
  #isOver = false;
  readonly notes = new BodyNotes();

  /** @returns the verdict as soon as there is one; no later piece is needed then */
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
   * Looks on for what the notes say, when `push` has given a verdict.
   *
   * @param piece begins at `offset`
   * @param to where the looking ends: with the prompt, or the object
   * @returns true if there is no more to look for; if false, it has taken all of the piece
   */
  readOn(piece: Uint8Array, to: "prompt" | "object"): boolean {
    this.#pass();
    while (this.#at < piece.length && !this.#hasRead(to)) {
      if (this.#step(piece) !== undefined) this.#isOver = true;
    }
    return this.#hasRead(to);
  }

  /** Called when the body has ended without a verdict. */
  end(): Verdict {
    if (this.#before === 0) return { kind: "missing", reason: "no body" };
    return { kind: "invalid", offset: this.#before, expected: EXPECTED[this.#state] };
  }

  /** Where the next byte to look at stands in the body. */
  get offset(): number {
    return this.#before + this.#at;
  }

  #hasRead(to: "prompt" | "object"): boolean {
    return this.#isOver || (to === "prompt" && this.notes.promptEnd !== undefined);
  }

  /** Goes on where the next piece begins. */
  #pass(): void {
    this.#before += this.#at;
    this.#at = 0;
  }

  /** Takes a byte or more, or changes the state. */
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
      else if (byte >= FIRST_BRACKET) depth += levelsOf(byte); // numbers and commas are below
    }
    this.#at = at;
    this.#depth = depth;
    if (depth === 0) this.#endValue();
    else if (!this.#string.complete) this.#state = "inString"; // the piece ended in it
  }

  #skipScalar(piece: Uint8Array): Verdict | undefined {
    this.#at = endOf(isScalar, piece, this.#at);
    const end = piece[this.#at];
    if (end === undefined) return undefined;
    if (!isSpace(end) && end !== COMMA && end !== CLOSE_BRACE) return this.#refuse();
    this.#state = "afterValue"; // which takes the byte
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

  /** @param text undefined if it is no JSON string */
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
