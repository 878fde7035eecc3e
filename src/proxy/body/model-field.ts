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
 * `{"a":[}`, so it does no harm to find a model behind it. Of duplicate keys the first that has a text wins:
 * what comes after the model is never read. A model that is null or empty counts as none.
 */
import { EXPECTED, type State } from "./json-states.ts";
import { JsonString } from "./json-string.ts";
import {
  BOM,
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
  OPEN_BRACE,
  opens,
  QUOTE,
} from "./json-syntax.ts";
import { type Missing, MODEL_BYTES_MAX, type Verdict } from "./verdict.ts";

/** The top-level fields whose text is read, and how long it may be as it is written, in bytes. */
const FIELDS = {
  model: MODEL_BYTES_MAX,
  /** What made responses have as ids is far shorter: a longer one is known to nobody. */
  previous_response_id: 256,
} as const;

type Field = keyof typeof FIELDS;

const FIELD_NAMES = Object.keys(FIELDS) as readonly Field[];

/** The longest of them with each letter written as `\uXXXX`: no longer key can mean one. */
const KEY_BYTES_MAX = 6 * Math.max(...FIELD_NAMES.map(({ length }) => length));

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
  /** Where the text of that field begins in the body. */
  #textOffset = 0;
  #reason: Missing = "no model";
  #previousResponseId: string | undefined;

  /** @returns the verdict as soon as there is one; no later piece is needed then */
  push(piece: Uint8Array): Verdict | undefined {
    this.#at = 0;
    while (this.#at < piece.length) {
      const verdict = this.#step(piece);
      if (verdict !== undefined) return verdict;
    }
    this.#before += piece.length;
    return undefined;
  }

  /** Called when the body has ended without a verdict. */
  end(): Verdict {
    if (this.#before === 0) return { kind: "missing", reason: "no body" };
    return { kind: "invalid", offset: this.#before, expected: EXPECTED[this.#state] };
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
    const next = this.#state === "value" ? this.#startValue(byte) : this.#nextState(byte);
    if (next === undefined) return this.#refuse();
    if (typeof next !== "string") return next;
    this.#state = next;
    if (next !== "inScalar") this.#at += 1;
    if (next === "inText") this.#textOffset = this.#offset;
    return undefined;
  }

  #nextState(byte: number): State | Verdict | undefined {
    switch (this.#state) {
      case "start":
        if (byte === BOM[0] && this.#offset === 0) return "inBom";
        return either(byte === OPEN_BRACE, "keyOrEnd");
      case "inBom":
        return either(byte === BOM[this.#offset], this.#offset === 2 ? "start" : "inBom");
      case "colon":
        return either(byte === COLON, "value");
      case "afterValue":
        return byte === CLOSE_BRACE ? this.#missing() : either(byte === COMMA, "key");
      case "keyOrEnd":
        return byte === CLOSE_BRACE ? this.#missing() : either(byte === QUOTE, "inKey");
      default:
        return either(byte === QUOTE, "inKey");
    }
  }

  #startValue(byte: number): State | Verdict | undefined {
    if (byte === COMMA || byte === COLON || closes(byte)) return undefined;
    if (this.#field === "model" && byte !== QUOTE) {
      if (byte !== FIRST_OF_NULL) return { kind: "missing", reason: "not a string" };
      this.#reason = "null";
    }
    if (byte === QUOTE) return this.#field === undefined ? "inString" : "inText";
    if (!opens(byte)) return "inScalar";
    this.#depth = 1;
    return "inNested";
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
    if (depth === 0) this.#state = "afterValue";
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
    if (this.#string.complete) this.#state = this.#depth > 0 ? "inNested" : "afterValue";
  }

  #readKey(piece: Uint8Array): undefined {
    this.#at = this.#string.read(piece, this.#at, KEY_BYTES_MAX);
    if (!this.#string.complete) return;
    this.#field = undefined;
    for (const name of FIELD_NAMES) if (this.#string.is(name)) this.#field = name;
    this.#state = "colon";
  }

  #readText(piece: Uint8Array): Verdict | undefined {
    const field = this.#field ?? "model"; // this state has a field
    this.#at = this.#string.read(piece, this.#at, FIELDS[field]);
    if (field === "model" && this.#string.tooLong) return { kind: "missing", reason: "too long" };
    if (!this.#string.complete) return undefined;
    this.#state = "afterValue";
    const text = this.#string.text();
    if (field === "model") return this.#judgeModel(text);
    if (field === "previous_response_id") this.#previousResponseId ||= text;
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
    const missing = { kind: "missing", reason: this.#reason } as const;
    const previousResponseId = this.#previousResponseId;
    return previousResponseId ? { ...missing, previousResponseId } : missing;
  }

  /** Where the current byte stands in the body. */
  get #offset(): number {
    return this.#before + this.#at;
  }

  #refuse(): Verdict {
    return { kind: "invalid", offset: this.#offset, expected: EXPECTED[this.#state] };
  }
}

function either(holds: boolean, state: State): State | undefined {
  return holds ? state : undefined;
}
