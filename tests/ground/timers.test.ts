import { expect, test } from "bun:test";
import { Alarms, Pace, pause } from "../../src/ground/timers.ts";
import { until, within } from "../support/until.ts";

test("Pace gives the first turn at once and the others at intervals; due() takes no turn", async () => {
  const pace = new Pace(200);
  const beganMs = performance.now();
  const at = async (turn: Promise<void>): Promise<number> => {
    await turn;
    return performance.now() - beganMs;
  };
  const times = [await at(pace.due()), await at(pace.turn()), await at(pace.due())];
  times.push(await at(pace.turn()), await at(pace.turn()));
  const [due = 0, first = 0, again = 0, second = 0, third = 0] = times;
  expect(due).toBeLessThan(100);
  expect(first).toBeLessThan(150);
  expect(again).toBeGreaterThan(190);
  expect(second - again).toBeLessThan(100); // due() has delayed nothing
  expect(third - second).toBeGreaterThan(190);
  await pace.due();
  const restedMs = performance.now();
  await pace.turn();
  expect(performance.now() - restedMs).toBeLessThan(100);
});

test("Alarms: each reason has one timer, and a new one replaces the old one", async () => {
  let calls = 0;
  const alarms = new Alarms<"a" | "b">(() => {
    calls += 1;
  });
  alarms.set("a", 1);
  alarms.set("a", 20);
  alarms.set("b", 1);
  alarms.set("b", Number.POSITIVE_INFINITY); // longer than a timer can wait
  await until("a's time has come", () => calls > 0);
  await Bun.sleep(20); // no call for the first timer of a or for b
  expect(calls).toBe(1);
  alarms.set("a", 1);
  alarms.clear();
  await Bun.sleep(20); // no call after clear()
  expect(calls).toBe(1);
});

test("pause() ends when the time is over, and at once when its signal aborts", async () => {
  const beganMs = performance.now();
  await pause(20, new AbortController().signal);
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(19);
  await within("a pause with an aborted signal", pause(60_000, AbortSignal.abort()));
  const controller = new AbortController();
  const paused = pause(60_000, controller.signal);
  controller.abort();
  await within("an aborted pause", paused);
});
