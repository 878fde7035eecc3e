import { describe, expect, test } from "bun:test";
import { EngineClock } from "../../src/engine/clock.ts";

const DAY_MS = 86_400_000;
/** Our own time, in the middle of a second. */
const NOW_MS = Date.parse("2026-01-02T03:04:05.400Z");

function rig(): { readonly clock: EngineClock; readonly own: { nowMs: number } } {
  const own = { nowMs: NOW_MS };
  return { clock: new EngineClock(() => own.nowMs), own };
}

/** Formats a time as in a header. */
function date(ms: number): string {
  return new Date(ms).toUTCString();
}

describe("EngineClock", () => {
  test("before the engine's first answer, and on one machine, equals our own clock to the millisecond", () => {
    const { clock, own } = rig();
    expect(clock.nowMs()).toBe(NOW_MS);
    for (let n = 0; n < 3_000; n += 1) {
      const sentMs = own.nowMs;
      own.nowMs += n % 7;
      clock.answered(date(own.nowMs), sentMs);
      clock.hasPassed(own.nowMs + 0.999); // our own clock has no fractions
      own.nowMs += 331;
      expect(clock.nowMs()).toBe(own.nowMs);
    }
  });

  test.each([DAY_MS, -DAY_MS, -90_000, 1_700, -2_300])(
    "one answer gives the time of an engine that is %p ms off to a second, more answers give it better",
    (offMs) => {
      const { clock, own } = rig();
      clock.answered(date(own.nowMs + offMs), own.nowMs);
      expect(own.nowMs + offMs - clock.nowMs()).toBeWithin(0, 1_002); // behind, never ahead
      for (let n = 0; n < 100; n += 1) {
        own.nowMs += 137;
        clock.answered(date(own.nowMs + offMs), own.nowMs);
      }
      expect(Math.abs(clock.nowMs() - own.nowMs - offMs)).toBeLessThan(20);
    },
  );

  test("the engine's time is never before the time of an event, however late the event comes", () => {
    const { clock } = rig();
    clock.hasPassed(NOW_MS + 5_000);
    expect(clock.nowMs() - NOW_MS).toBeWithin(4_998, 5_001);
    clock.hasPassed(NOW_MS - DAY_MS); // a replay
    expect(clock.nowMs() - NOW_MS).toBeWithin(4_998, 5_001);
  });

  test("ignores an event whose time contradicts the engine's Date", () => {
    const { clock, own } = rig();
    clock.answered(date(NOW_MS), NOW_MS);
    clock.hasPassed(NOW_MS + DAY_MS);
    expect(clock.nowMs() - own.nowMs).toBeLessThanOrEqual(1_000);
  });

  test("follows an engine clock that is set back or forward at the next answer", () => {
    const { clock, own } = rig();
    for (const offMs of [DAY_MS, -3_600_000, 0, 90_000]) {
      own.nowMs += 30_000;
      clock.answered(date(own.nowMs + offMs), own.nowMs);
      expect(Math.abs(clock.nowMs() - own.nowMs - offMs)).toBeLessThanOrEqual(1_001);
    }
  });

  test("a slow answer gives less precision, and none if our own clock was set meanwhile", () => {
    const { clock, own } = rig();
    clock.answered(date(NOW_MS + 20_000), NOW_MS - 30_000);
    expect(clock.nowMs() - NOW_MS).toBeWithin(19_598, 20_001);
    const before = clock.nowMs() - own.nowMs;
    clock.answered(date(NOW_MS), NOW_MS + DAY_MS);
    expect(clock.nowMs() - own.nowMs).toBe(before);
  });

  test.each([null, "", "yesterday"])("ignores Date: %p", (text) => {
    const { clock } = rig();
    clock.answered(text, NOW_MS);
    expect(clock.nowMs()).toBe(NOW_MS);
  });
});
