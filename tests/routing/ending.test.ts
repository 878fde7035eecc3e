import { expect, test } from "bun:test";
import { Ending } from "../../src/routing/ending.ts";

const OOM = { kind: "out of memory", brief: "ran out of memory", reason: "ran out" } as const;
const EXIT = { kind: "exited", brief: "exited", reason: "exited with code 1" } as const;

test("known() resolves as soon as the end is known, and at once afterwards", async () => {
  const ending = new Ending();
  const known = ending.known(60_000);
  ending.ended(OOM);
  expect(await known).toBe(OOM);
  expect(await ending.known(60_000)).toBe(OOM);
});

test("known() gives up after its time", async () => {
  const ending = new Ending();
  expect(await ending.known(5)).toBeUndefined();
  expect(ending.end).toBeUndefined();
});

test("only the first end counts, and a run may be told to stop before it ends", () => {
  const ending = new Ending();
  expect(ending.isStopping).toBe(false);
  ending.toldToStop();
  ending.ended(OOM);
  ending.ended(EXIT);
  expect([ending.isStopping, ending.end]).toEqual([true, OOM]);
});
