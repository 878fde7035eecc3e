import { expect, test } from "bun:test";
import { BoundedMap } from "../../src/ground/bounded-map.ts";

test("BoundedMap drops the entry with the oldest set()", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1).set("b", 2).set("a", 3);
  expect([...map]).toEqual([
    ["b", 2],
    ["a", 3],
  ]);
  map.get("b"); // reading does not make an entry newer
  map.set("c", 4);
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});

test("BoundedMap otherwise behaves like a Map", () => {
  const map = new BoundedMap<string, number>(2).set("a", 1);
  expect([map.size, map.has("a"), map.delete("a"), map.get("a")]).toEqual([
    1,
    true,
    true,
    undefined,
  ]);
});
