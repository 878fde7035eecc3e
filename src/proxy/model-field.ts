/**
 * Finds the top-level string `model` of a JSON object, wherever it stands, in a body that comes
 * in pieces. Source: RFC 8259. Pure over bytes: it decodes nothing but keys and the model itself,
 * holds nothing but those, and counts nested levels instead of recursing into them.
 *
 * The way through a body, one state for each place in the top-level object:
 *
 *     start ─{─▶ keyOrEnd ─"─▶ inKey ─"─▶ colon ─:─▶ value ─┬─ model: "  ▶ inModel ─"─▶ found
 *                   │            ▲                          ├─ "         ▶ inString ─"─▶ afterValue
 *                   } ▶ missing  "                          ├─ { or [    ▶ inNested, depth 0 ─▶ afterValue
 *                                └── key ◀─,── afterValue ◀─┴─ else      ▶ inScalar
 *                                                └─ } ▶ missing
 *
 * Structure is checked at the top level only; what is wrong inside a value is the backend's to
 * judge. Of duplicate keys the first wins: what comes after `model` is never read.
 */
import { JsonString } from "./json-string.ts";

export type Verdict =
  | { readonly kind: "found"; readonly model: string }
  | { readonly kind: "missing"; readonly why: "no body" | "no model" | "not a string" | "empty" }
  /** `offset` in bytes from the start of the body. */
  | { readonly kind: "invalid"; readonly offset: number; readonly expected: string };

type State =
  | "start"
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
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const BOM = [0xef, 0xbb, 0xbf];

const NO_MODEL: Verdict = { kind: "missing", why: "no model" };

/** `model` with each letter written as `\uXXXX`: no longer key can mean it. */
const MODEL_KEY_BYTES_MAX = 30;

const EXPECTED: Partial<Record<State, string>> = {
  start: 'a JSON object ("{")',
  keyOrEnd: 'a key in double quotes or "}"',
  key: "a key in double quotes",
  colon: '":"',
  value: "a value",
  inScalar: '"," or "}"',
  afterValue: '"," or "}"',
};

export class ModelScanner {
  #state: State = "start";
  /** Bytes of the pieces before this one. */
  #before = 0;
  /** Position in the piece at hand. */
  #at = 0;
  /** Open brackets of the value at hand, the top-level object not counted. */
  #depth = 0;
  readonly #string = new JsonString();
  #isModel = false;
  #stringStart = 0;

  /** @returns the verdict as soon as there is one; later pieces need not be given then */
  push(piece: Uint8Array): Verdict | undefined {
    this.#at = 0;
    while (this.#at < piece.length) {
      const verdict = this.#step(piece);
      if (verdict !== undefined) return verdict;
    }
    this.#before += piece.length;
    return undefined;
  }

  /** The body has ended without a verdict. */
  end(): Verdict {
    if (this.#before === 0) return { kind: "missing", why: "no body" };
    const expected = EXPECTED[this.#state] ?? "the rest of the JSON object";
    return { kind: "invalid", offset: this.#before, expected };
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
      case "keyOrEnd":
      case "key":
      case "colon":
      case "value":
      case "afterValue":
        return this.#readStructure(piece[this.#at] ?? 0);
    }
  }

  #readStructure(byte: number): Verdict | undefined {
    if (isSpace(byte) || this.#isBom(byte)) {
      this.#at += 1;
      return undefined;
    }
    const next = this.#state === "value" ? this.#startValue(byte) : this.#nextState(byte);
    if (next === undefined) return this.#invalid(EXPECTED[this.#state] ?? "");
    if (typeof next !== "string") return next;
    this.#state = next;
    if (next !== "inScalar") this.#at += 1;
    if (next === "inKey" || next === "inModel") this.#stringStart = this.#before + this.#at;
    return undefined;
  }

  #nextState(byte: number): State | Verdict | undefined {
    switch (this.#state) {
      case "start":
        return either(byte === OPEN_BRACE, "keyOrEnd");
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
    if (byte === COMMA || byte === COLON || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      return undefined;
    }
    if (this.#isModel) {
      return byte === QUOTE ? "inModel" : { kind: "missing", why: "not a string" };
    }
    if (byte === QUOTE) return "inString";
    if (byte !== OPEN_BRACE && byte !== OPEN_BRACKET) return "inScalar";
    this.#depth = 1;
    return "inNested";
  }

  #skipNested(piece: Uint8Array): undefined {
    for (let at = this.#at; at < piece.length; at += 1) {
      const byte = piece[at];
      if (byte === QUOTE) {
        this.#at = at + 1;
        this.#state = "inString";
        return;
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth -= 1;
      if (this.#depth === 0) {
        this.#at = at + 1;
        this.#state = "afterValue";
        return;
      }
    }
    this.#at = piece.length;
  }

  #skipScalar(piece: Uint8Array): Verdict | undefined {
    const byte = piece[this.#at] ?? 0;
    if (isSpace(byte) || byte === COMMA || byte === CLOSE_BRACE) {
      this.#state = "afterValue"; // which takes the byte
    } else if (isStructural(byte)) {
      return this.#invalid(EXPECTED.inScalar ?? "");
    } else {
      this.#at += 1;
    }
    return undefined;
  }

  #skipString(piece: Uint8Array): undefined {
    this.#at = this.#string.skip(piece, this.#at);
    if (this.#string.complete) this.#state = this.#depth > 0 ? "inNested" : "afterValue";
  }

  #readKey(piece: Uint8Array): undefined {
    this.#at = this.#string.read(piece, this.#at, MODEL_KEY_BYTES_MAX);
    if (!this.#string.complete) return;
    this.#isModel = this.#string.text() === "model";
    this.#state = "colon";
  }

  #readModel(piece: Uint8Array): Verdict | undefined {
    this.#at = this.#string.read(piece, this.#at, Number.POSITIVE_INFINITY);
    if (!this.#string.complete) return undefined;
    const model = this.#string.text();
    if (model === undefined) {
      return { kind: "invalid", offset: this.#stringStart, expected: "a valid JSON string" };
    }
    return model === "" ? { kind: "missing", why: "empty" } : { kind: "found", model };
  }

  #isBom(byte: number): boolean {
    const offset = this.#before + this.#at;
    return this.#state === "start" && offset < BOM.length && byte === BOM[offset];
  }

  #invalid(expected: string): Verdict {
    return { kind: "invalid", offset: this.#before + this.#at, expected };
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isStructural(byte: number): boolean {
  return (
    byte === QUOTE ||
    byte === COLON ||
    byte === OPEN_BRACE ||
    byte === OPEN_BRACKET ||
    byte === CLOSE_BRACKET
  );
}

function either(holds: boolean, state: State): State | undefined {
  return holds ? state : undefined;
}
