import { expect, test } from "bun:test";
import { livingOwner } from "./fleet.ts";

// Two soaks on one engine: the second removed the containers of the first, by their names.
test.each<[why: string, listing: readonly string[], owner: string | undefined]>([
  ["nothing", [], undefined],
  ["containers of a run that was killed", ["soak-a 11", "soak-b 11"], undefined],
  ["containers of one that goes on", ["soak-a 11", "soak-b 12"], "12"],
  ["containers that do not say", ["soak-a ", "soak-b"], undefined],
])("livingOwner() of %s", (_why, listing, owner) => {
  expect(livingOwner(listing, (pid) => pid === "12")).toBe(owner);
});
