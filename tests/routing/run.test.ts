import { describe, expect, test } from "bun:test";
import {
  compare,
  isSameRun,
  isSameServer,
  keyOf,
  newestFirst,
  Ranks,
  type Run,
} from "../../src/routing/run.ts";

const RUN: Run = { source: "docker", id: "a", startedAtMs: 1 };

describe("identity", () => {
  test.each<[what: string, other: Run, sameServer: boolean, sameRun: boolean]>([
    ["itself", { ...RUN }, true, true],
    ["another start", { ...RUN, startedAtMs: 2 }, true, false],
    ["another id", { ...RUN, id: "b" }, false, false],
    ["the same id in another source", { ...RUN, source: "other" }, false, false],
  ])("a run and %s", (_what, other, sameServer, sameRun) => {
    expect([isSameServer(RUN, other), isSameRun(RUN, other)]).toEqual([sameServer, sameRun]);
    expect(keyOf(RUN) === keyOf(other)).toBe(sameServer);
  });
});

type Seen = [rank: number, startedAtMs: number, id: string];

describe("newestFirst()", () => {
  test.each<[by: string, older: Seen, newer: Seen]>([
    ["rank, before all others", [1, 9, "b"], [2, 1, "a"]],
    ["start, with equal ranks", [1, 1, "b"], [1, 2, "a"]],
    ["id, with equal ranks and starts", [1, 1, "a"], [1, 1, "b"]],
  ])("sorts by %s", (_by, first, second) => {
    const [older, newer] = [first, second].map(([rank, startedAtMs, id]) => ({
      rank,
      run: { ...RUN, startedAtMs, id },
    }));
    expect([older!, newer!].sort(newestFirst)).toEqual([newer!, older!]);
    expect([newer!, older!].sort(newestFirst)).toEqual([newer!, older!]);
  });

  test("a run is equal to itself", () => {
    expect(newestFirst({ rank: 1, run: RUN }, { rank: 1, run: { ...RUN } })).toBe(0);
  });
});

test("Ranks.next() returns a later rank each time", () => {
  const ranks = new Ranks();
  expect([ranks.next(), ranks.next(), ranks.next()]).toEqual([1, 2, 3]);
});

test("compare() compares by code unit", () => {
  expect(["ä", "b", "B", "a", "b"].sort(compare)).toEqual(["B", "a", "b", "b", "ä"]);
});
