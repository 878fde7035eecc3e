import { expect, test } from "bun:test";
import { PutOffs } from "../../../src/sources/swarm/put-off.ts";

function rig() {
  const taking = new Set<string>();
  const putOffs = new PutOffs((id) => taking.has(id));
  return { taking, putOffs };
}

test("a task continues until a successor takes requests", () => {
  const { taking, putOffs } = rig();
  expect(putOffs.goesOn("old", 0, () => ["new", "other"])).toBe(true);
  expect([putOffs.ids, putOffs.due(500)]).toEqual([["old"], []]);
  expect(putOffs.goesOn("old", 900, () => [])).toBe(true); // the first list of successors counts
  taking.add("other");
  expect(putOffs.due(901)).toEqual(["old"]);
  expect(putOffs.goesOn("old", 902, () => ["new"])).toBe(false);
  expect(putOffs.ids).toEqual([]);
});

test("a task continues for a second at most", () => {
  const { putOffs } = rig();
  expect(putOffs.goesOn("old", 5_000, () => ["new"])).toBe(true);
  expect(putOffs.goesOn("old", 5_999, () => ["new"])).toBe(true);
  expect(putOffs.due(6_000)).toEqual(["old"]);
  expect(putOffs.goesOn("old", 6_000, () => ["new"])).toBe(false);
});

test("a task continues for 0.3 s if its process gets the stop signal after 1.1 s", () => {
  const { putOffs } = rig();
  const coming = (): readonly string[] => ["new"];
  expect(putOffs.goesOn("old", 1_000, coming, false)).toBe(true);
  expect(putOffs.goesOn("old", 1_299, coming, false)).toBe(true);
  expect(putOffs.goesOn("old", 1_300, coming, false)).toBe(false);
});

test("a task without a successor drains at once", () => {
  const { putOffs } = rig();
  expect(putOffs.goesOn("old", 0, () => [])).toBe(false);
  expect(putOffs.ids).toEqual([]);
});

test("lift() drops the delay", () => {
  const { putOffs } = rig();
  putOffs.goesOn("old", 0, () => ["new"]);
  putOffs.lift("old");
  expect(putOffs.ids).toEqual([]);
});

test("due() returns tasks whose time is up or whose successor takes requests", () => {
  const { taking, putOffs } = rig();
  putOffs.goesOn("early", 0, () => ["new"]);
  putOffs.goesOn("late", 500, () => ["other"]);
  expect(putOffs.due(999)).toEqual([]);
  expect(putOffs.due(1_000)).toEqual(["early"]);
  taking.add("other");
  expect(putOffs.due(1_001)).toEqual(["early", "late"]);
  expect(putOffs.ids).toEqual(["early", "late"]); // nothing has drained yet
});
