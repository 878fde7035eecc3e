import { expect, test } from "bun:test";
import { isTooLong, modelWithoutEntry, namesIn } from "../../src/fleet/model-entry.ts";

test("a model without an entry gets one with the fields that clients expect", () => {
  const { id, json } = modelWithoutEntry('a"b', "vllm-1");
  expect(id).toBe('a"b');
  expect(JSON.parse(json)).toEqual({ id, object: "model", created: 0, owned_by: "vllm-1" });
  expect(json).toStartWith(String.raw`{"id":"a\"b","object":"model"`);
});

test("namesIn() takes no more aliases than it may", () => {
  const entry = { id: "a", aliases: ["b", "c", "d"], parent: "base" };
  expect(namesIn(entry, 2)).toEqual({ aliases: ["b", "c"], parent: "base" });
  expect(namesIn(entry, 0)).toEqual({ parent: "base" });
});

test.each([
  ["a".repeat(65_536), false],
  ["a".repeat(65_537), true],
  ["ü".repeat(32_769), true],
])("isTooLong() counts bytes", (id, expected) => {
  expect(isTooLong(id)).toBe(expected);
});
