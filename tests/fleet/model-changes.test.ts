import { expect, test } from "bun:test";
import { modelChanges, tellOfModels } from "../../src/fleet/model-changes.ts";
import { Changes } from "../../src/telemetry/changes.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { model, models } from "../support/server/backends.ts";

test("modelChanges() names new and gone models, with lists in any order", () => {
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

test("modelChanges() returns undefined for the same ids, even if an entry has changed", () => {
  const before = [model({ id: "a" }), model({ id: "b" })];
  const after = [model({ id: "b", owned_by: "me" }), model({ id: "a" })];
  expect(modelChanges(before, after)).toBeUndefined();
});

test.each<[before: string, after: string, reason: string]>([
  ["", "a", "new: a"],
  ["a,b", "b", "gone: a"],
  ["", "a,b,c", "new: a, b, c"],
  ["a,b,c,d,e", "f", "new: f; gone: a, b, c and 2 more"],
])(
  "tellOfModels() logs the change and keeps it in words: from %p to %p",
  (before, after, reason) => {
    const [log, changes] = [memoryLog(), new Changes()];
    const list = (ids: string): ReturnType<typeof models> =>
      models(...ids.split(",").flatMap((id) => (id === "" ? [] : { id })));
    tellOfModels("vllm", modelChanges(list(before), list(after))!, { log, changes });
    expect(log.lines).toMatchObject([{ message: "models changed", container: "vllm" }]);
    expect(changes.latest).toMatchObject([
      { what: "container", name: "vllm", state: "models changed", reason, times: 1 },
    ]);
  },
);
