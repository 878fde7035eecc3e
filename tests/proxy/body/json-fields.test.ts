import { describe, expect, test } from "bun:test";
import { type Field, fieldOf, KEY_BYTES_MAX } from "../../../src/proxy/body/json-fields.ts";
import { JsonString } from "../../../src/proxy/body/json-string.ts";

const FIELDS: readonly Field[] = [
  "model",
  "previous_response_id",
  "messages",
  "input",
  "prompt",
  "background",
  "conversation",
];

/** Reads a key in these pieces, including its closing quote, and returns its field. */
function meaningOf(pieces: readonly string[]): Field | undefined {
  const key = new JsonString();
  for (const piece of pieces) key.read(Buffer.from(piece), 0, KEY_BYTES_MAX);
  return fieldOf(key);
}

/** Escapes each letter whose bit is set in the mask. */
function escaped(word: string, mask: number): string {
  return Array.from(word, (letter, at) => {
    const code = letter.charCodeAt(0).toString(16).padStart(4, "0");
    return (mask >> at) % 2 === 1 ? `\\u${at % 2 === 0 ? code : code.toUpperCase()}` : letter;
  }).join("");
}

describe("fieldOf()", () => {
  test.each(FIELDS)("finds %s with any of its letters escaped", (field) => {
    expect(meaningOf([`${field}"`])).toBe(field);
    for (let mask = 0; mask < 2 ** field.length; mask += field.length < 13 ? 1 : 1_021) {
      expect(meaningOf([`${escaped(field, mask)}"`])).toBe(field);
    }
    expect(meaningOf([`${escaped(field, -1)}"`])).toBe(field);
  });

  test.each(FIELDS)("does not mistake a similar key for %s", (field) => {
    const likes = [field.slice(1), field.slice(0, -1), `${field}s`, `${field}\\u0073`, ` ${field}`];
    const upper = field[0]!.toUpperCase() + field.slice(1);
    for (const like of [...likes, upper, `${field}\\q`, `${escaped(field, -1)} `]) {
      expect(meaningOf([`${like}"`])).toBeUndefined();
    }
  });

  test.each<[pieces: readonly string[], field: Field | undefined]>([
    [["mo", "del", '"'], "model"],
    [["\\u00", "6dodel", '"'], "model"],
    [['\\u006dodel\\u"'], undefined],
    [['"'], undefined],
    [['\\u0069npu\\u0074"'], "input"],
    [['xxxxxxxxxx"'], undefined], // as long as a model with an escape
    [[`${"x".repeat(KEY_BYTES_MAX + 1)}"`], undefined],
    [['__proto__"'], undefined],
  ])("for %p returns %p", (pieces, field) => {
    expect(meaningOf(pieces)).toBe(field as Field);
  });
});
