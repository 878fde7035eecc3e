import { expect, test } from "bun:test";
import { atMostEvery, coalesce, spaced } from "../../src/ground/coalesce.ts";
import { until } from "../support/until.ts";

test("coalesce() merges all calls during a run into one more run, and never runs two at once", async () => {
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

test("the promise of a call during a run resolves only after a run that began later has ended", async () => {
  const ended: number[] = [];
  let runs = 0;
  const wake = coalesce(async () => {
    runs += 1;
    const run = runs;
    await new Promise(setImmediate);
    ended.push(run);
  });
  void wake();
  await wake();
  expect(ended).toEqual([1, 2]);
});

test("atMostEvery() lets calls within the interval share the run that started it, even a finished one", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const run = atMostEvery(60_000, () => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  });
  const calls = [run(), run(), run()];
  let ended = 0;
  for (const call of calls) void call.then(() => (ended += 1));
  await Bun.sleep(0); // no promise resolves before the run has ended
  expect([gates.length, ended]).toEqual([1, 0]);
  gates[0]!.resolve();
  await Promise.all(calls);
  await run(); // at once: the run is over, the interval is not
  expect(gates).toHaveLength(1);
});

test("atMostEvery() runs again after the interval, even while an earlier run hangs", async () => {
  let runs = 0;
  const run = atMostEvery(20, () => {
    runs += 1;
    return runs === 1 ? new Promise(() => undefined) : Promise.resolve();
  });
  void run();
  await until("the interval is over", () => {
    void run();
    return runs === 2;
  });
  await run(); // shares the second run, which has ended
});

test("spaced() begins a run at once; all calls within the interval share the next run after it", async () => {
  const beganMs: number[] = [];
  const run = spaced(50, () => {
    beganMs.push(performance.now());
    return Promise.resolve();
  });
  await run();
  expect(beganMs).toHaveLength(1);
  await Promise.all([run(), run(), run()]);
  const [first = 0, second = 0] = beganMs;
  expect(beganMs).toHaveLength(2);
  expect(second - first).toBeGreaterThanOrEqual(49);
});
