/** The top-level fields of a JSON body that say where a request goes, and how a key is told to be one. Pure. */
import type { JsonString } from "./json-string.ts";
import { MODEL_BYTES_MAX } from "./verdict.ts";

export type Field =
  | TextField
  /** What the model reads, one of them in each API. */
  | "messages"
  | "input"
  | "prompt"
  /** What servers keep, or do later: of the API of responses. */
  | "background"
  | "conversation";

/** The fields whose text is read. */
export type TextField = "model" | "previous_response_id";

/** How long these texts may be as they are written, in bytes. */
export const TEXT_BYTES_MAX: Readonly<Record<TextField, number>> = {
  model: MODEL_BYTES_MAX,
  /** What made responses have as ids is far shorter: a longer one is known to nobody. */
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

/** How many bytes `\uXXXX` has more than the letter that it stands for: no other escape stands for a letter. */
const ESCAPED_BYTES_MORE = 5;

/** The longest of them with each letter escaped: no longer key can mean one. */
export const KEY_BYTES_MAX = (1 + ESCAPED_BYTES_MORE) * Math.max(...FIELDS.map((f) => f.length));

/** What a key of a certain length may be. */
type Candidates = {
  /** As it stands. */
  readonly plain: readonly Field[];
  /** Some field has this length with some of its letters escaped. */
  readonly mayBeEscaped: boolean;
};

/** By the length of a key as it is written, in bytes. */
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
 * Says which field a key means. Decodes only what may be one with escapes.
 *
 * @param key complete, and read with a limit of KEY_BYTES_MAX
 */
export function fieldOf(key: JsonString): Field | undefined {
  const candidates = CANDIDATES[key.length];
  if (candidates === undefined) return undefined;
  for (const field of candidates.plain) if (key.isWritten(field)) return field;
  if (!candidates.mayBeEscaped || !key.hasEscapes) return undefined;
  const text = key.text();
  return FIELDS.find((field) => field === text);
}
