import { describe, expect, test } from "bun:test";
import { type Past, pastOf } from "../../../src/sources/docker/past.ts";
import { type Fact, type PastRun, runsIn } from "../../../src/sources/docker/run-facts.ts";
import { recordedRuns } from "../../support/replay/recorded-runs.ts";

const MINUTE_MS = 60_000;
const CONTAINER = {
  stopSignal: 15,
  stopTimeoutMs: 10_000,
  signalIsHidden: false,
  exitCodeIsHidden: false,
  restartCount: 3,
};

/** @param runningSinceMs undefined if the container does not run */
function past(
  runs: readonly PastRun[],
  nowMs: number,
  runningSinceMs: number | undefined = undefined,
): Past {
  return pastOf({ ...CONTAINER, runningSinceMs }, { runs, nowMs, lapseMs: MINUTE_MS });
}

/** Runs that crash after the given lifetimes. Each run starts a second after the end of the previous one. */
function crashes(livesMs: readonly number[], more: readonly Fact[] = []): readonly Fact[] {
  let timeMs = 0;
  const facts = livesMs.flatMap((lifeMs): readonly Fact[] => {
    const startMs = timeMs + 1_000;
    timeMs = startMs + lifeMs;
    return [
      { what: "start", timeMs: startMs },
      { what: "die", timeMs, exitCode: 1 },
    ];
  });
  return [...facts, ...more].toSorted((a, b) => a.timeMs - b.timeMs);
}

const THREE = crashes([1_000, 1_000, 1_000]); // they end at 2, 4 and 6 s

describe("pastOf() on recordings", () => {
  test.each<[name: string, isCrashLoop: boolean, endCount: number, wasStopped: boolean]>([
    ["docker-20.10.24/06-crash-exit1", false, 1, false],
    ["docker-20.10.24/08-docker-restart", false, 0, false],
    ["docker-20.10.24/04-docker-kill", false, 0, true],
    ["docker-20.10.24/09-restart-policy-always-crash", false, 1, true],
    ["docker-20.10.24/09b-restart-policy-crash-loop", true, 4, false],
    ["docker-20.10.24/10-rm-f-running", false, 0, true],
    ["docker-20.10.24/10b-run-rm-then-stop", false, 0, true],
    ["docker-20.10.24/21-stop-in-restart-backoff", false, 5, true],
    ["docker-26.1.5/21-stop-in-restart-backoff", false, 5, true],
  ])("%s", async (name, isCrashLoop, endCount, wasStopped) => {
    const runs = await recordedRuns(name);
    const ended = runs.filter(({ endedMs }) => endedMs !== undefined);
    const nowMs = (ended.at(-1)?.endedMs ?? 0) + 1_000;
    const goesOn = runs.length > ended.length;
    const told = past(runs, nowMs, goesOn ? runs.at(-1)?.startedMs : undefined);
    if (goesOn) expect({ ...told, wasStopped: false }).toMatchObject({ isCrashLoop, endCount });
    else expect(told).toMatchObject({ isCrashLoop, endCount, wasStopped });
  });
});

describe("a crash loop", () => {
  test.each<[what: string, facts: readonly Fact[], nowMs: number, isCrashLoop: boolean]>([
    ["two crashes", crashes([1_000, 1_000]), 5_000, false],
    ["three crashes", THREE, 7_000, true],
    ["three crashes 10 minutes ago", THREE, 6_000 + 10 * MINUTE_MS, false],
    ["three crashes just under 10 minutes ago", THREE, 5_999 + 10 * MINUTE_MS, true],
    [
      "three slow crashes within 10 minutes",
      crashes([4, 4, 4].map((n) => n * MINUTE_MS)),
      13 * MINUTE_MS,
      true,
    ],
    [
      "three crashes over more than 10 minutes",
      crashes([5, 5, 5].map((n) => n * MINUTE_MS)),
      16 * MINUTE_MS,
      false,
    ],
    [
      "the second run was healthy",
      crashes([1_000, 1_000, 1_000], [{ what: "healthy", timeMs: 3_500 }]),
      7_000,
      false,
    ],
    [
      "the last run was told to stop",
      crashes([1_000, 1_000, 1_000], [{ what: "kill", timeMs: 5_500, signal: 15 }]),
      7_000,
      false,
    ],
    ["stopped between two runs", [...THREE, { what: "stop", timeMs: 6_500 }], 7_000, false],
    ["the start of the first run is unknown", THREE.slice(1), 7_000, false],
  ])("%s: %p", (_what, facts, nowMs, isCrashLoop) => {
    expect(past(runsIn(facts), nowMs).isCrashLoop).toBe(isCrashLoop);
  });

  test.each<[what: string, more: readonly Fact[], isCrashLoop: boolean]>([
    ["lasts while it starts again", [], true],
    ["ends as soon as it is healthy", [{ what: "healthy", timeMs: 8_000 }], false],
    ["ends when it is told to stop", [{ what: "kill", timeMs: 8_000, signal: 15 }], false],
    ["does not end by another signal", [{ what: "kill", timeMs: 8_000, signal: 1 }], true],
  ])("%s", (_what, more, isCrashLoop) => {
    const runs = runsIn([...THREE, { what: "start", timeMs: 7_000 }, ...more]);
    const told = past(runs, 9_000, 7_000);
    expect(told).toMatchObject({ isCrashLoop, endCount: 3, livedMs: 1_000 });
    expect(told.end?.reason).toBe("exited with code 1");
    expect(past(runs, 6_000 + 10 * MINUTE_MS, 7_000).isCrashLoop).toBe(false);
  });

  test("ends when a person starts the container, because the engine resets its restart count", () => {
    const runs = runsIn([...THREE, { what: "start", timeMs: 7_000 }]);
    const given = { runs, nowMs: 9_000, lapseMs: MINUTE_MS };
    const by = (restartCount: number): Past =>
      pastOf({ ...CONTAINER, restartCount, runningSinceMs: 7_000 }, given);
    expect([by(0).isCrashLoop, by(1).isCrashLoop]).toEqual([false, true]);
  });
});

describe("pastOf()", () => {
  test("knows nothing about a container that has never run", () => {
    expect(past([], 5)).toMatchObject({ end: undefined, isRecent: false, wasStopped: false });
  });

  test("counts the ends of the last 10 minutes, except stops", () => {
    const facts = crashes([1_000, 9 * MINUTE_MS, 2 * MINUTE_MS]);
    expect(past(runsIn(facts), 12 * MINUTE_MS).endCount).toBe(2);
    const stopped: Fact = { what: "kill", timeMs: 542_500, signal: 15 };
    const told = [...facts, stopped].toSorted((a, b) => a.timeMs - b.timeMs);
    expect(past(runsIn(told), 12 * MINUTE_MS).endCount).toBe(1);
  });

  test("the lifetime of a run of less than 1 ms is unknown", () => {
    const runs = runsIn([
      { what: "start", timeMs: 1 },
      { what: "die", timeMs: 1.01, exitCode: 1 },
    ]);
    expect(past(runs, 9)).toMatchObject({ end: { kind: "exited" }, livedMs: undefined });
    expect(past(runs, 9).end?.atMs).toBeUndefined();
  });

  test("says when the last run ended, if the engine has reported it", () => {
    expect(past(runsIn(THREE), 7_000).end?.atMs).toBe(6_000);
    // No event reports the end of the first run: it ended at some time before the next start.
    const starts: readonly Fact[] = [
      { what: "start", timeMs: 1_000 },
      { what: "start", timeMs: 9_000 },
    ];
    const { end } = past(runsIn(starts), 10_000, 9_000);
    expect([end?.kind, end?.atMs]).toEqual(["unknown", undefined]);
  });

  test("handles a run without a reported end of a container that is gone", () => {
    const runs = runsIn([
      { what: "start", timeMs: 1 },
      { what: "kill", timeMs: 5, signal: 15 },
    ]);
    expect(past(runs, 9)).toMatchObject({ wasStopped: true, livedMs: undefined, isRecent: true });
  });
});
