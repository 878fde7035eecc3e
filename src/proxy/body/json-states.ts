/**
 * The places in a JSON object where a scanner may stand, and what it expects there. How it gets from one to the
 * next is in `model-field.ts`.
 */

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

/** What is expected before an object has begun. */
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
