import { expect, test } from "bun:test";
import { expectNever, until, within } from "./until.ts";

const HANGS = new Promise<never>(() => undefined);

test("until() continues as soon as the condition holds, and fails if that takes too long", async () => {
  let looks = 0;
  await until("the third look", () => {
    looks += 1;
    return looks === 3;
  });
  expect(looks).toBe(3);
  await expect(until("it ends", () => false, 10)).rejects.toThrow(
    "Waited 10 ms in vain until it ends",
  );
});

test("within() returns the value, or says what did not come in time", async () => {
  expect(await within("a value", Promise.resolve(1))).toBe(1);
  await expect(within("its end", HANGS, 10)).rejects.toThrow("Waited 10 ms in vain for its end");
});

test("expectNever() checks for the given time, and once more at the end", async () => {
  let looks = 0;
  const startMs = performance.now();
  await expectNever(
    "it ends",
    () => {
      looks += 1;
      return false;
    },
    20,
  );
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(20);
  expect(looks).toBeGreaterThan(1);
});

test("expectNever() fails as soon as it happens, before the given time is over", async () => {
  const startMs = performance.now();
  await expect(expectNever("it ends", async () => true, 60_000)).rejects.toThrow(
    "did after 0 ms: it ends",
  );
  expect(performance.now() - startMs).toBeLessThan(1_000);
});
