import { heapStats } from "bun:jsc";
import { describe, expect, spyOn, test } from "bun:test";
import { Ending } from "../../src/routing/ending.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import { within } from "../support/until.ts";

const OOM: RunEnd = {
  kind: "out of memory",
  brief: "ran out of memory",
  reason: "ran out of memory (exit code 137)",
};
const STOPPED: RunEnd = { kind: "stopped", brief: "was stopped", reason: "was stopped" };

/** Longer than any test, ms. */
const LONG = 1_000_000;

describe("Ending", () => {
  test("keeps the first known end", () => {
    const ending = new Ending();
    expect([ending.end, ending.isStopping]).toEqual([undefined, false]);
    ending.toldToStop();
    ending.ended(OOM);
    ending.ended(STOPPED);
    expect([ending.end, ending.isStopping]).toEqual([OOM, true]);
  });

  test("known() resolves at once if the end is known", async () => {
    const ending = new Ending();
    ending.ended(OOM);
    expect(await within("the end", ending.known(LONG))).toBe(OOM);
  });

  test("known() resolves for all callers when the end is reported", async () => {
    const ending = new Ending();
    const waits = Array.from({ length: 1_000 }, () => ending.known(LONG));
    waits.push(ending.known(LONG + 1));
    ending.ended(OOM);
    expect(new Set(await within("the end", Promise.all(waits)))).toEqual(new Set([OOM]));
  });

  test("known() does not share a wait of another length", async () => {
    const ending = new Ending();
    const long = ending.known(LONG);
    expect(await within("the end of the short wait", ending.known(1))).toBeUndefined();
    ending.ended(OOM);
    expect(await within("the end", long)).toBe(OOM);
  });

  test("known() leaves nothing behind while the run goes on", async () => {
    const ending = new Ending();
    const promises = (): number => {
      Bun.gc(true);
      return heapStats().objectTypeCounts["Promise"] ?? 0;
    };
    const before = promises();
    await Promise.all(Array.from({ length: 10_000 }, () => ending.known(0)));
    expect(promises() - before).toBeLessThan(1_000);
    expect(ending.end).toBeUndefined();
  });

  test("known() gives up when its time is over, and can wait again", async () => {
    const ending = new Ending();
    expect(await within("the end of the wait", ending.known(1))).toBeUndefined();
    const again = ending.known(LONG);
    ending.ended(OOM);
    expect(await within("the end", again)).toBe(OOM);
  });

  test("known() needs one timer for a thousand callers at once", async () => {
    const ending = new Ending();
    const timers = spyOn(globalThis, "setTimeout");
    const waits = Array.from({ length: 1_000 }, () => ending.known(LONG));
    const count = timers.mock.calls.filter(([, ms]) => ms === LONG).length;
    timers.mockRestore();
    ending.ended(OOM);
    await Promise.all(waits);
    expect(count).toBe(1);
  });

  test("known() does not share a wait that is almost over", async () => {
    const ending = new Ending();
    const first = ending.known(60);
    const startMs = performance.now();
    while (performance.now() - startMs < 30) await Bun.sleep(1);
    const second = ending.known(60);
    expect(await first).toBeUndefined();
    ending.ended(OOM);
    expect(await within("the end", second)).toBe(OOM);
  });
});
