import { expect, test } from "bun:test";
import { NamedAddresses } from "../../../src/sources/swarm/named-addresses.ts";

const TASKS = [
  { id: "a", host: "10.0.0.1" },
  { id: "b", host: "10.0.0.2" },
];

test("a listed task that is no longer listed is missing until it is listed again", () => {
  const named = new NamedAddresses();
  named.saw(TASKS, ["10.0.0.1", "10.0.0.2"]);
  expect([named.isMissing("a"), named.isMissing("b")]).toEqual([false, false]);
  named.saw(TASKS, ["10.0.0.2"]);
  expect([named.isMissing("a"), named.isMissing("b")]).toEqual([true, false]);
  named.saw(TASKS, ["10.0.0.1"]);
  expect([named.isMissing("a"), named.isMissing("b")]).toEqual([false, true]);
});

test("a task that was never listed is not missing, and an answer without addresses changes nothing", () => {
  const named = new NamedAddresses();
  named.saw(TASKS, ["10.0.0.1", "10.9.9.9"]);
  expect(named.isMissing("b")).toBe(false);
  named.saw(TASKS, []);
  expect(named.isMissing("a")).toBe(false);
});

test("another task at the same address has its own state", () => {
  const named = new NamedAddresses();
  named.saw([{ id: "old", host: "10.0.0.1" }], ["10.0.0.1"]);
  named.forget("old");
  named.saw([{ id: "new", host: "10.0.0.1" }], ["10.0.0.7"]);
  expect([named.isMissing("old"), named.isMissing("new")]).toEqual([false, false]);
});
