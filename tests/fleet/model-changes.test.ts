import { expect, test } from "bun:test";
import { modelChanges } from "../../src/fleet/model-changes.ts";
import { model, models } from "../support/server/backends.ts";

test("modelChanges() names what came and what went, in whatever order the lists are", () => {
  const before = models({ id: "a" }, { id: "b" });
  const after = models({ id: "c" }, { id: "a" });
  expect(modelChanges(before, after)).toEqual({
    model_count: 2,
    added_count: 1,
    added: ["c"],
    removed_count: 1,
    removed: ["b"],
  });
});

test("modelChanges() of the same ids is nothing, though an entry has changed", () => {
  const before = [model({ id: "a" }), model({ id: "b" })];
  const after = [model({ id: "b", owned_by: "me" }), model({ id: "a" })];
  expect(modelChanges(before, after)).toBeUndefined();
});
