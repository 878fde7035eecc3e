import { describe, expect, test } from "bun:test";
import { StopNotices } from "../../../src/sources/docker/stop-notices.ts";

const START = 1_000_000;
const RUN = {
  source: "docker",
  id: "a",
  startedAtMs: START,
  stopSignal: 15,
  stopTimeoutMs: 10_000,
  signalIsHidden: false,
};
const DRAIN_MS = 60_000;

function noticed(signal: number, timeMs: number, run = RUN): boolean {
  const notices = new StopNotices(DRAIN_MS);
  notices.record({ containerId: "a", signal, timeMs });
  return notices.lapseOf(run, timeMs) !== undefined;
}

describe("StopNotices", () => {
  test.each<[what: string, signal: number, stopSignal: number, counts: boolean]>([
    ["SIGTERM", 15, 15, true],
    ["SIGKILL", 9, 15, true],
    ["SIGINT", 2, 15, true],
    ["SIGQUIT", 3, 15, true],
    ["SIGTERM to a container with stop signal SIGINT", 15, 2, true],
    ["SIGHUP", 1, 15, false],
    ["SIGUSR1", 10, 15, false],
    ["SIGUSR1 to a container with that stop signal", 10, 10, true],
    ["SIGRTMIN+3 to a container with that stop signal", 37, 37, true],
  ])("%s", (_what, signal, stopSignal, counts) => {
    expect(noticed(signal, START + 1, { ...RUN, stopSignal })).toBe(counts);
  });

  test.each([1, 10, undefined])(
    "signal %p counts as a stop if a label hides the signals of events",
    (signal) => {
      const notices = new StopNotices(DRAIN_MS);
      notices.record({ containerId: "a", signal, timeMs: START + 1 });
      notices.record({ containerId: "b", signal, timeMs: START + 9 });
      const hidden = { ...RUN, signalIsHidden: true };
      expect(notices.lapseOf(RUN, START + 2)).toBeUndefined();
      expect(notices.lapseOf(hidden, START + 2)).toBe(START + 1 + DRAIN_MS);
      expect(notices.lapseOf({ ...hidden, startedAtMs: START + 5 }, START + 6)).toBeUndefined();
    },
  );

  test("a kill counts only if it is newer than the run", () => {
    expect(noticed(15, START - 1)).toBe(false);
    expect(noticed(15, START)).toBe(false);
    expect(noticed(15, START + 0.001)).toBe(true);
  });

  test.each([
    ["the drain timeout", 10_000, START + 5 + DRAIN_MS],
    ["the container's own stop timeout if that is longer", 90_000, START + 5 + 90_000],
  ])("lapses after %s", (_what, stopTimeoutMs, lapseMs) => {
    const notices = new StopNotices(DRAIN_MS);
    const run = { ...RUN, stopTimeoutMs };
    notices.record({ containerId: "a", signal: 15, timeMs: START + 5 });
    expect(notices.lapseOf(run, lapseMs - 1)).toBe(lapseMs);
    expect(notices.lapseOf(run, lapseMs)).toBeUndefined();
  });

  test("a later stop extends the notice, a replay and a harmless signal do not end it", () => {
    const notices = new StopNotices(DRAIN_MS);
    notices.record({ containerId: "a", signal: 15, timeMs: START + 100 });
    notices.record({ containerId: "a", signal: 9, timeMs: START + 200 });
    notices.record({ containerId: "a", signal: 15, timeMs: START + 50 });
    notices.record({ containerId: "a", signal: 1, timeMs: START + 300 });
    expect(notices.lapseOf(RUN, START + 400)).toBe(START + 200 + DRAIN_MS);
  });

  test("keeps the notices of containers apart", () => {
    const notices = new StopNotices(DRAIN_MS);
    notices.record({ containerId: "b", signal: 15, timeMs: START + 1 });
    expect(notices.lapseOf(RUN, START + 1)).toBeUndefined();
  });

  test("keeps the last 1,000 kills, and a repeated signal does not displace others", () => {
    const notices = new StopNotices(DRAIN_MS);
    notices.record({ containerId: "a", signal: 15, timeMs: START + 1 });
    for (let n = 0; n < 5_000; n += 1)
      notices.record({ containerId: "hup", signal: 1, timeMs: START + n });
    expect(notices.lapseOf(RUN, START + 1)).toBeDefined();
    for (let n = 0; n < 998; n += 1)
      notices.record({ containerId: `c${n}`, signal: 15, timeMs: START + n });
    expect(notices.lapseOf(RUN, START + 1)).toBeDefined();
    notices.record({ containerId: "one too many", signal: 15, timeMs: START });
    expect(notices.lapseOf(RUN, START + 1)).toBeUndefined();
  });
});
