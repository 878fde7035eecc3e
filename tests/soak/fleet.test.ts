import { expect, test } from "bun:test";
import { livingOwner } from "./fleet.ts";

// Two soaks ran on one engine, and the second one removed the containers of the first, which had the same names.
test.each<[why: string, listing: readonly string[], owner: string | undefined]>([
  ["nothing", [], undefined],
  ["containers of a killed run", ["soak-a 11", "soak-b 11"], undefined],
  ["containers of a run that is still going", ["soak-a 11", "soak-b 12"], "12"],
  ["containers without an owner", ["soak-a ", "soak-b"], undefined],
])("livingOwner() of %s", (_why, listing, owner) => {
  expect(livingOwner(listing, (pid) => pid === "12")).toBe(owner);
});
