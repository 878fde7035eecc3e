/** The top-level fields of a JSON body that matter for routing, and how to recognise their keys. Pure. */
import type { JsonString } from "./json-string.ts";
import { MODEL_BYTES_MAX } from "./verdict.ts";

export type Field =
  | TextField
  /** The prompt: each API has one of these. */
  | "messages"
  | "input"
  | "prompt"
  /** Fields of the Responses API that make a server keep state or work later. */
  | "background"
  | "conversation";

/** The fields whose text the proxy reads. */
export type TextField = "model" | "previous_response_id";

/** The longest text of each, in bytes as written. */
export const TEXT_BYTES_MAX: Readonly<Record<TextField, number>> = {
  model: MODEL_BYTES_MAX,
  /** Real response ids are far shorter, so the proxy cannot know a longer one. */
  previous_response_id: 256,
};

const FIELDS: readonly Field[] = [
  "model",
  "previous_response_id",
  "messages",
  "input",
  "prompt",
  "background",
  "conversation",
];

/** `\uXXXX` is this many bytes longer than its letter. No other escape stands for a letter. */
const ESCAPED_BYTES_MORE = 5;

/** The longest field with each letter escaped. A longer key cannot be one of the fields. */
export const KEY_BYTES_MAX = (1 + ESCAPED_BYTES_MORE) * Math.max(...FIELDS.map((f) => f.length));

/** The fields that a key of a certain length may be. */
type Candidates = {
  /** Written without escapes. */
  readonly plain: readonly Field[];
  /** Some field has this length if some of its letters are escaped. */
  readonly mayBeEscaped: boolean;
};

/** Indexed by the length of a key as written, in bytes. */
const CANDIDATES: readonly Candidates[] = Array.from({ length: KEY_BYTES_MAX + 1 }, (_, length) => {
  const escaped = FIELDS.filter((field) => {
    const escapes = (length - field.length) / ESCAPED_BYTES_MORE;
    return Number.isInteger(escapes) && escapes > 0 && escapes <= field.length;
  });
  return {
    plain: FIELDS.filter((field) => field.length === length),
    mayBeEscaped: escaped.length > 0,
  };
});

/**
 * Returns the field that a key names. Decodes the key only if it may be a field with escapes.
 *
 * @param key complete, and read with the limit KEY_BYTES_MAX
 */
export function fieldOf(key: JsonString): Field | undefined {
  const candidates = CANDIDATES[key.length];
  if (candidates === undefined) return undefined;
  for (const field of candidates.plain) if (key.isWritten(field)) return field;
  if (!candidates.mayBeEscaped || !key.hasEscapes) return undefined;
  const text = key.text();
  return FIELDS.find((field) => field === text);
}
