/**
 * The states of the JSON scanner: the places in a top-level object, what it expects at each, and which punctuation
 * leads from one to the next. `model-field.ts` handles the values. Pure.
 */
import { BOM, CLOSE_BRACE, COLON, COMMA, OPEN_BRACE, QUOTE } from "./json-syntax.ts";

export type State =
  | "start"
  | "inBom"
  | "keyOrEnd"
  | "key"
  | "inKey"
  | "colon"
  | "value"
  | "inText"
  | "inString"
  | "inNested"
  | "inScalar"
  | "afterValue";

/** What the scanner expects before an object has begun. */
export const A_JSON_OBJECT = 'a JSON object ("{")';

const REST = "the rest of the JSON object";

export const EXPECTED: Record<State, string> = {
  start: A_JSON_OBJECT,
  inBom: A_JSON_OBJECT,
  keyOrEnd: 'a key in double quotes or "}"',
  key: "a key in double quotes",
  inKey: REST,
  colon: '":"',
  value: "a value",
  inText: REST,
  inString: REST,
  inNested: REST,
  inScalar: '"," or "}"',
  afterValue: '"," or "}"',
};

/**
 * @param byte not white space
 * @param offset of the byte in the body
 * @returns `end` if the object ends here; undefined if the byte is not allowed here
 */
export function nextState(state: State, byte: number, offset: number): State | "end" | undefined {
  switch (state) {
    case "start":
      if (byte === BOM[0] && offset === 0) return "inBom";
      return either(byte === OPEN_BRACE, "keyOrEnd");
    case "inBom":
      return either(byte === BOM[offset], offset === 2 ? "start" : "inBom");
    case "colon":
      return either(byte === COLON, "value");
    case "afterValue":
      return byte === CLOSE_BRACE ? "end" : either(byte === COMMA, "key");
    case "keyOrEnd":
      return byte === CLOSE_BRACE ? "end" : either(byte === QUOTE, "inKey");
    default:
      return either(byte === QUOTE, "inKey");
  }
}

function either(holds: boolean, state: State): State | undefined {
  return holds ? state : undefined;
}
