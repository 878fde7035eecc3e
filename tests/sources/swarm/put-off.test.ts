import { expect, test } from "bun:test";
import { PutOffs } from "../../../src/sources/swarm/put-off.ts";

function rig() {
  const taking = new Set<string>();
  const putOffs = new PutOffs((id) => taking.has(id));
  return { taking, putOffs };
}

test("a task goes on until one that comes in its place takes requests", () => {
  const { taking, putOffs } = rig();
  expect(putOffs.goesOn("old", 0, () => ["new", "other"])).toBe(true);
  expect([putOffs.isEmpty, putOffs.due(500)]).toEqual([false, []]);
  expect(putOffs.goesOn("old", 900, () => [])).toBe(true); // who was coming at first counts
  taking.add("other");
  expect(putOffs.due(900)).toEqual(["old"]);
  expect(putOffs.goesOn("old", 901, () => ["new"])).toBe(false);
  expect(putOffs.isEmpty).toBe(true);
});

test("it goes on for a second at most", () => {
  const { putOffs } = rig();
  expect(putOffs.goesOn("old", 5_000, () => ["new"])).toBe(true);
  expect(putOffs.goesOn("old", 5_999, () => ["new"])).toBe(true);
  expect(putOffs.due(6_000)).toEqual(["old"]);
  expect(putOffs.goesOn("old", 6_000, () => ["new"])).toBe(false);
});

test("without anybody who comes it drains at once", () => {
  const { putOffs } = rig();
  expect(putOffs.goesOn("old", 0, () => [])).toBe(false);
  expect(putOffs.isEmpty).toBe(true);
});

test("what was put off can be lifted", () => {
  const { putOffs } = rig();
  putOffs.goesOn("old", 0, () => ["new"]);
  putOffs.lift("old");
  expect(putOffs.isEmpty).toBe(true);
});
