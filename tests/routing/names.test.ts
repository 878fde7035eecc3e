import { describe, expect, test } from "bun:test";
import { type ModelNames, NameMap, namesOf, sameNames } from "../../src/routing/names.ts";
import { model } from "../support/server/backends.ts";

/** The id that each rule gives for a name. */
function idsOf(name: string, ...models: readonly ModelNames[]): readonly (string | undefined)[] {
  const names = new NameMap<string>();
  for (const each of models) names.add(each, (known) => known ?? each.id);
  return names.ofName(name);
}

describe("NameMap", () => {
  test.each<[rule: number, what: string, name: string, model: ModelNames]>([
    [0, "its id", "m", { id: "m" }],
    [1, "an alias", "a", { id: "m", aliases: ["b", "a"] }],
    [2, "its id without the tag latest", "llama3.2", { id: "llama3.2:latest" }],
    [
      2,
      "its id without the tag latest, with a host and a port",
      "host:5000/ns/m",
      { id: "host:5000/ns/m:latest" },
    ],
    [3, "the id of its parent and its own", "org/base:lora", { id: "lora", parent: "org/base" }],
    [
      3,
      "the id of its parent and its own, if the parent has a tag",
      "b:7b:lora",
      { id: "lora", parent: "b:7b" },
    ],
  ])("rule %d: %s", (rule, _what, name, each) => {
    const expected = [0, 1, 2, 3].map((index) => (index === rule ? each.id : undefined));
    expect(idsOf(name, each)).toEqual(expected);
  });

  test.each<[what: string, name: string, model: ModelNames]>([
    ["a tag other than latest", "llama3.2", { id: "llama3.2:7b" }],
    ["latest after another tag", "m:7b", { id: "m:7b:latest" }],
    ["a tag that the id does not have", "m:latest", { id: "m" }],
    ["only the tag", "", { id: ":latest" }],
    ["another letter case", "M", { id: "m", aliases: ["A"] }],
    ["another letter case of the tag", "m", { id: "m:Latest" }],
    ["only the parent", "base", { id: "lora", parent: "base" }],
    ["the id before the parent", "lora:base", { id: "lora", parent: "base" }],
    ["a name that objects inherit", "__proto__", { id: "m", aliases: [] }],
  ])("no rule: %s", (_what, name, each) => {
    expect(idsOf(name, each)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("several models may have the same name, each by another rule", () => {
    expect(
      idsOf("a:b", { id: "a:b" }, { id: "m", aliases: ["a:b"] }, { id: "b", parent: "a" }),
    ).toEqual(["a:b", "m", undefined, "b"]);
  });
});

test("namesOf() does not keep the entry", () => {
  expect(namesOf(model({ id: "m", aliases: ["a"], parent: "p", about: "long" }))).toEqual({
    id: "m",
    aliases: ["a"],
    parent: "p",
  });
  expect(Object.keys(namesOf(model({ id: "m" })))).toEqual(["id"]);
});

test.each<[same: boolean, one: ModelNames, other: ModelNames]>([
  [true, { id: "m" }, { id: "m", aliases: [] }],
  [true, { id: "m", aliases: ["a"], parent: "p" }, { id: "m", aliases: ["a"], parent: "p" }],
  [false, { id: "m" }, { id: "n" }],
  [false, { id: "m" }, { id: "m", aliases: ["a"] }],
  [false, { id: "m" }, { id: "m", parent: "p" }],
])("sameNames() is %p for %o and %o", (same, one, other) => {
  expect(sameNames([one], [other])).toBe(same);
  expect(sameNames([one], [other, other])).toBe(false);
});
