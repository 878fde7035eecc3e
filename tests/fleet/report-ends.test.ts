import { describe, expect, test } from "bun:test";
import { absent } from "../../src/sources/docker/observe.ts";
import type { Sighting } from "../../src/sources/sighting.ts";
import { changesOf, EXITED, HEALTHY, lines, rig, STARTING } from "../support/server/report.ts";

describe("Report, of ends", () => {
  /** The sightings of a container that has crashed `n` times. */
  function crashing(n: number, isUp: boolean): Sighting {
    const end = {
      kind: "exited",
      brief: "exited with code 1",
      reason: "exited with code 1",
    } as const;
    const past = `ended ${n} times in 10 min; last: exit code 1 after ${n} s`;
    const isCrashLoop = n >= 3;
    if (isUp && STARTING.kind === "present")
      return { ...STARTING, isCrashLoop, lastEnd: end, past };
    const { server, name, slots } = STARTING;
    const outlook = isCrashLoop ? "crash loop" : "starts again";
    const told = { kind: "absent", state: "restarting", comesBack: true, outlook } as const;
    return { server, name, slots, ...told, reason: past, end };
  }

  test("a crash loop is one warning a minute, even if its words change", () => {
    const made = rig();
    const { report, subject } = made;
    for (let n = 0; n < 150; n += 1) {
      report.tell(subject, crashing(n, true), n * 1_000);
      report.tell(subject, crashing(n, false), n * 1_000 + 500);
    }
    const said = made.log.lines.filter(({ level }) => level !== "debug");
    expect(said.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info container starting",
      "warn container restarting",
      "warn container starting", // the third crash: from here on it is a crash loop
      "warn container starting",
      "warn container starting",
    ]);
    expect(report.status(subject).reason).toBe(
      "ended 149 times in 10 min; last: exit code 1 after 149 s",
    );
    expect(changesOf(made)).toEqual([
      "147: restarting, ended 149 times in 10 min; last: exit code 1 after 149 s",
      "147: starting, waiting for its health check to pass; ended 149 times in 10 min; last: exit code 1 after 149 s",
      "3: restarting, ended 2 times in 10 min; last: exit code 1 after 2 s",
      "3: starting, waiting for its health check to pass; ended 2 times in 10 min; last: exit code 1 after 2 s",
    ]);
  });

  test("only a container that never becomes healthy is in a crash loop", () => {
    const { report, subject } = rig();
    const isLoop = (sighting: Sighting): boolean => {
      report.tell(subject, sighting, 0);
      return report.status(subject).crash_loop;
    };
    expect([isLoop(crashing(2, false)), isLoop(crashing(2, true))]).toEqual([false, false]);
    expect([isLoop(crashing(3, false)), isLoop(crashing(3, true))]).toEqual([true, true]);
    expect(isLoop(EXITED)).toBe(false);
  });

  test("a container that crashes and is healthy in between has one line a minute for each state", () => {
    const made = rig();
    const { report, subject } = made;
    for (const n of [1, 2]) {
      report.tell(subject, crashing(n, false), n * 1_000);
      report.tell(subject, crashing(n, true), n * 1_000 + 500);
    }
    expect(lines(made)).toEqual([
      "warn container restarting",
      "info container starting",
      "debug container restarting",
      "debug container starting",
    ]);
  });

  const OOM = {
    kind: "out of memory",
    brief: "ran out of memory",
    reason: "ran out of memory (exit code 137)",
  } as const;

  test("an end that broke off requests is logged at its own level, even if it was logged before", () => {
    const made = rig();
    const { report, subject } = made;
    for (const nowMs of [0, 1_000, 2_000]) {
      report.tell(subject, crashing(1, true), nowMs);
      if (nowMs < 2_000) report.tookRequests(OOM);
      report.tell(subject, crashing(1, false), nowMs + 500);
    }
    expect(lines(made)).toEqual([
      "info container starting",
      "warn container restarting",
      "debug container starting",
      "warn container restarting",
      "debug container starting",
      "debug container restarting",
    ]);
  });

  test("such an end is logged even if the server is back at once, or gone", () => {
    const made = rig();
    const { report, subject } = made;
    report.tell(subject, STARTING, 0);
    report.tookRequests(OOM);
    report.tell(subject, STARTING, 1_000);
    report.tookRequests(OOM);
    report.tell(subject, absent(HEALTHY.id, "n"), 2_000);
    report.tookRequests(OOM);
    report.tell(subject, EXITED, 3_000); // this sighting knows more about the end
    report.tell(subject, EXITED, 4_000);
    expect(changesOf(made)).toEqual([
      "1: stopped, exited with code 1",
      "1: stopped, removed; it ran out of memory (exit code 137)",
      "2: starting, waiting for its health check to pass; its last run ran out of memory (exit code 137)",
    ]);
    const said = made.log.lines.map(({ level, reason }) => `${level}: ${String(reason)}`);
    expect(said.slice(1)).toEqual([
      "info: waiting for its health check to pass; its last run ran out of memory (exit code 137)",
      "info: removed; it ran out of memory (exit code 137)",
      "info: exited with code 1",
    ]);
  });
});
