import { expect, test } from "bun:test";
import { IdSearch } from "../../src/proxy/id-search.ts";

function found(text: string, pieceBytes: number): string | undefined {
  const search = new IdSearch();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const id = search.push(bytes.subarray(at, at + pieceBytes));
    if (id !== undefined) return id;
  }
  return undefined;
}

test.each<[text: string, id: string | undefined]>([
  ['{"id":"a"}', "a"],
  ['{ "id" \t\r\n: "a b" }', "a b"],
  ['{"id":"ü"}', "ü"],
  [`{"id":"${"x".repeat(256)}"}`, "x".repeat(256)],
  [`{"id":"${"x".repeat(257)}","b":{"id":"y"}}`, "y"],
  ['{"id":"","x":{"id":"y"}}', "y"],
  ['{"id":"a\\"b","x":{"id":"y"}}', "y"],
  ['{"id":7,"x":{"id":"y"}}', "y"],
  ['{"id""id":"y"}', "y"],
  ['{"id":"a', undefined],
  ['{"i', undefined],
  ['"xid":"a"', undefined],
  ["", undefined],
])("IdSearch finds in %p the id %p, in pieces of any size", (text, id) => {
  for (const size of [1, 2, 3, 1_000]) expect(found(text, size)).toBe(id);
});
