import { expect, test } from "bun:test";
import { coalesce } from "../../src/discovery/loop.ts";

test("coalesce() makes one more run of any number of calls during a run, and never two at once", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  let running = 0;
  let most = 0;
  const wake = coalesce(async () => {
    running += 1;
    most = Math.max(most, running);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    running -= 1;
  });
  const first = wake();
  const during = [wake(), wake(), wake()];
  gates[0]!.resolve();
  await first;
  expect(gates).toHaveLength(2);
  const later = wake(); // during the second run: a third
  gates[1]!.resolve();
  await Promise.all(during);
  gates[2]!.resolve();
  await later;
  expect([gates.length, most]).toEqual([3, 1]);
});

test("the promise of a call during a run resolves only when a run that began after it has ended", async () => {
  const ended: number[] = [];
  let runs = 0;
  const wake = coalesce(async () => {
    runs += 1;
    const run = runs;
    await Bun.sleep(1);
    ended.push(run);
  });
  void wake();
  await wake();
  expect(ended).toEqual([1, 2]);
});
