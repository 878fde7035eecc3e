/**
 * Finds the top-level string `model` of a JSON object, wherever it stands, in a body that comes
 * in pieces. Source: RFC 8259. Pure over bytes: it decodes and keeps only keys and the model itself,
 * and counts nested levels instead of recursing into them.
 *
 * The way through a body, one state for each place in the top-level object:
 *
 *     start ─{─▶ keyOrEnd ─"─▶ inKey ─"─▶ colon ─:─▶ value ─┬─ model: "  ▶ inModel ─"─▶ found
 *                   │            ▲                          ├─ "         ▶ inString ─"─▶ afterValue
 *                   } ▶ missing  "                          ├─ { or [    ▶ inNested, depth 0 ─▶ afterValue
 *                                └── key ◀─,── afterValue ◀─┴─ else      ▶ inScalar
 *                                                └─ } ▶ missing
 *
 * White space may stand between them, and a byte order mark (inBom) before them. If a piece ends in a
 * nested string, the state is inString too, and goes back to inNested.
 *
 * Checks only the top level: it refuses a body where it can't follow it any further. What is wrong inside
 * a value is for the backend to judge. That includes brackets: `}` and `]` each end one level, whichever
 * bracket began it; to know that would take a bit for every level that a client opens. No parser accepts
 * `{"a":[}`, so it does no harm to find a model behind it. Of duplicate keys the first wins: what comes
 * after `model` is never read.
 */
import { JsonString } from "./json-string.ts";

/** The reason why there is no model in a body. */
export type Missing = "no body" | "no model" | "not a string" | "empty" | "too long";

/** How long a model may be as it is written in a JSON body or a form. Real names have about a hundred bytes. */
export const MODEL_BYTES_MAX = 64 * 1024;

export type Verdict =
  | { readonly kind: "found"; readonly model: string }
  | { readonly kind: "missing"; readonly reason: Missing }
  /** `offset` in bytes from the start of the body. */
  | { readonly kind: "invalid"; readonly offset: number; readonly expected: string };

type State =
  | "start"
  | "inBom"
  | "keyOrEnd"
  | "key"
  | "inKey"
  | "colon"
  | "value"
  | "inModel"
  | "inString"
  | "inNested"
  | "inScalar"
  | "afterValue";

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** The one bit in which `[` and `]` differ from `{` and `}`. */
const BRACE_BIT = 0x20;
const COLON = 0x3a;
const COMMA = 0x2c;
const BOM = [0xef, 0xbb, 0xbf];

const NO_MODEL: Verdict = { kind: "missing", reason: "no model" };

/** `model` with each letter written as `\uXXXX`: no longer key can mean it. */
const MODEL_KEY_BYTES_MAX = 30;

/** What is expected where not even the beginning of an object has come. */
export const A_JSON_OBJECT = 'a JSON object ("{")';

const REST = "the rest of the JSON object";

const EXPECTED: Record<State, string> = {
  start: A_JSON_OBJECT,
  inBom: A_JSON_OBJECT,
  keyOrEnd: 'a key in double quotes or "}"',
  key: "a key in double quotes",
  inKey: REST,
  colon: '":"',
  value: "a value",
  inModel: REST,
  inString: REST,
  inNested: REST,
  inScalar: '"," or "}"',
  afterValue: '"," or "}"',
};

export class ModelScanner {
  #state: State = "start";
  /** How many bytes the pieces before this one have. */
  #before = 0;
  /** Position in the piece at hand. */
  #at = 0;
  /** How many brackets of the current value are open, the top-level object not counted. */
  #depth = 0;
  readonly #string = new JsonString();
  #isModel = false;
  #modelOffset = 0;

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
      case "inModel":
        return this.#readModel(piece);
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
    if (next === "inModel") this.#modelOffset = this.#offset;
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
        return byte === CLOSE_BRACE ? NO_MODEL : either(byte === COMMA, "key");
      case "keyOrEnd":
        return byte === CLOSE_BRACE ? NO_MODEL : either(byte === QUOTE, "inKey");
      default:
        return either(byte === QUOTE, "inKey");
    }
  }

  #startValue(byte: number): State | Verdict | undefined {
    if (byte === COMMA || byte === COLON || closes(byte)) return undefined;
    if (this.#isModel) {
      return byte === QUOTE ? "inModel" : { kind: "missing", reason: "not a string" };
    }
    if (byte === QUOTE) return "inString";
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
      else if (opens(byte)) depth += 1;
      else if (closes(byte)) depth -= 1;
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
    this.#at = this.#string.read(piece, this.#at, MODEL_KEY_BYTES_MAX);
    if (!this.#string.complete) return;
    this.#isModel = this.#string.is("model");
    this.#state = "colon";
  }

  #readModel(piece: Uint8Array): Verdict | undefined {
    this.#at = this.#string.read(piece, this.#at, MODEL_BYTES_MAX);
    if (this.#string.tooLong) return { kind: "missing", reason: "too long" };
    if (!this.#string.complete) return undefined;
    const model = this.#string.text();
    if (model === undefined) {
      return { kind: "invalid", offset: this.#modelOffset, expected: "a valid JSON string" };
    }
    return model === "" ? { kind: "missing", reason: "empty" } : { kind: "found", model };
  }

  /** Where the current byte stands in the body. */
  get #offset(): number {
    return this.#before + this.#at;
  }

  #refuse(): Verdict {
    return { kind: "invalid", offset: this.#offset, expected: EXPECTED[this.#state] };
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isScalar(byte: number): boolean {
  if (isSpace(byte) || opens(byte) || closes(byte)) return false;
  return byte !== QUOTE && byte !== COLON && byte !== COMMA;
}

function opens(byte: number): boolean {
  return (byte | BRACE_BIT) === OPEN_BRACE;
}

function closes(byte: number): boolean {
  return (byte | BRACE_BIT) === CLOSE_BRACE;
}

/** @returns where the bytes of a kind end, at the piece's end if not before */
function endOf(isOfKind: (byte: number) => boolean, piece: Uint8Array, start: number): number {
  let at = start;
  while (at < piece.length && isOfKind(piece[at] ?? 0)) at += 1;
  return at;
}

function either(holds: boolean, state: State): State | undefined {
  return holds ? state : undefined;
}
