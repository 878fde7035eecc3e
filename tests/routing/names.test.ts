import { describe, expect, test } from "bun:test";
import { type ModelNames, NameMap, namesOf, sameNames } from "../../src/routing/names.ts";
import { model } from "../support/server/backends.ts";

/** The ids that are known under a name, by each rule. */
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
    [2, "the same below a host with a port", "host:5000/ns/m", { id: "host:5000/ns/m:latest" }],
    [3, "its parent's id and its own", "org/base:lora", { id: "lora", parent: "org/base" }],
    [3, "the same where the parent has a tag", "b:7b:lora", { id: "lora", parent: "b:7b" }],
  ])("rule %d: %s", (rule, _what, name, each) => {
    const expected = [0, 1, 2, 3].map((index) => (index === rule ? each.id : undefined));
    expect(idsOf(name, each)).toEqual(expected);
  });

  test.each<[what: string, name: string, model: ModelNames]>([
    ["another tag than latest", "llama3.2", { id: "llama3.2:7b" }],
    ["latest behind another tag", "m:7b", { id: "m:7b:latest" }],
    ["a tag that the id has not", "m:latest", { id: "m" }],
    ["nothing but the tag", "", { id: ":latest" }],
    ["another case", "M", { id: "m", aliases: ["A"] }],
    ["another case of the tag", "m", { id: "m:Latest" }],
    ["the parent alone", "base", { id: "lora", parent: "base" }],
    ["the id in front of the parent", "lora:base", { id: "lora", parent: "base" }],
    ["an inherited name", "__proto__", { id: "m", aliases: [] }],
  ])("no rule: %s", (_what, name, each) => {
    expect(idsOf(name, each)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("several models may have one name, each by another rule", () => {
    expect(
      idsOf("a:b", { id: "a:b" }, { id: "m", aliases: ["a:b"] }, { id: "b", parent: "a" }),
    ).toEqual(["a:b", "m", undefined, "b"]);
  });
});

test("namesOf() lets go of the entry", () => {
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
