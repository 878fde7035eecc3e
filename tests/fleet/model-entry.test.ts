import { expect, test } from "bun:test";
import { isTooLong, modelWithoutEntry, namesIn } from "../../src/fleet/model-entry.ts";

test("a model without an entry gets one with the fields that clients expect", () => {
  const { id, json } = modelWithoutEntry('a"b', "vllm-1");
  expect(id).toBe('a"b');
  expect(JSON.parse(json)).toEqual({ id, object: "model", created: 0, owned_by: "vllm-1" });
  expect(json).toStartWith(String.raw`{"id":"a\"b","object":"model"`);
});

test("namesIn() takes no more aliases and parents than are left, and reduces the rest", () => {
  const entry = { id: "a", aliases: ["b", "c", "d"], parent: "base" };
  const left = { aliasCount: 5, parentLength: 7 };
  expect(namesIn(entry, left)).toEqual({ aliases: ["b", "c", "d"], parent: "base" });
  expect(left).toEqual({ aliasCount: 2, parentLength: 3 });
  expect(namesIn(entry, left)).toEqual({ aliases: ["b", "c"] });
  expect(namesIn({ ...entry, parent: "lm" }, left)).toEqual({ parent: "lm" });
  expect(left).toEqual({ aliasCount: 0, parentLength: 1 });
});

test.each([
  ["a".repeat(65_536), false],
  ["a".repeat(65_537), true],
  ["ü".repeat(32_769), true],
])("isTooLong() counts bytes", (id, expected) => {
  expect(isTooLong(id)).toBe(expected);
});
