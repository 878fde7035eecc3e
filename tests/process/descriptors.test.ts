import { describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import {
  countOpen,
  createDescriptors,
  parseLimit,
  readDescriptors,
} from "../../src/process/descriptors.ts";

describe("createDescriptors()", () => {
  test.each([
    ["at least 64", 256, 256 - 64],
    ["5 %", 10_000, 9_500],
  ])("keeps a reserve of %s", (_what, limit, usable) => {
    const take = (open: number): boolean =>
      createDescriptors({ limit, countOpen: () => open, now: () => 0 }).take();
    expect([take(usable - 2), take(usable - 1)]).toEqual([true, false]);
  });

  test.each([
    [1_024, 480],
    [65_536, 31_120],
    [64, 0],
    [16, 0],
  ])("a limit of %p has room for about %p requests at once", (limit, requestsMax) => {
    const init = { limit, countOpen: () => 0, now: () => 0 };
    expect(createDescriptors(init).requestsMax).toBe(requestsMax);
  });

  test("adds two for each new request until the next count", () => {
    let nowMs = 0;
    let open = 100;
    const { take } = createDescriptors({ limit: 256, countOpen: () => open, now: () => nowMs });
    const taken = Array.from({ length: 100 }, take).filter(Boolean).length;
    expect(taken).toBe((256 - 64 - 100) / 2);
    open = 190; // most are open now, some have ended
    nowMs = 20;
    expect([take(), take()]).toEqual([true, false]);
  });
});

test("parseLimit() reads the soft limit", () => {
  const limits =
    "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
  expect(parseLimit(limits)).toBe(1024);
  expect(parseLimit("")).toBeUndefined();
});

test("countOpen() counts the entries if the size of the directory does not show the number", () => {
  const path = "/proc/self/fdinfo"; // behaves like /proc/self/fd before Linux 6.2
  expect(statSync(path).size).toBe(0);
  expect(Math.abs(countOpen(path) - readdirSync(path).length)).toBeLessThan(5);
});

test("countOpen() counts the open descriptors", () => {
  expect(Math.abs(countOpen() - readdirSync("/proc/self/fd").length)).toBeLessThan(5);
});

test("readDescriptors() has room on this machine", async () => {
  expect((await readDescriptors())?.take()).toBe(true);
});
