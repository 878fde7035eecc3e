import { describe, expect, test } from "bun:test";
import { absent } from "../../src/sources/docker/observe.ts";
import {
  changesOf,
  EXITED,
  HEALTHY,
  lines,
  rig,
  STARTING,
  seen,
} from "../support/server/report.ts";

const MINUTE_MS = 60_000;
const UNHEALTHY = seen({ health: "unhealthy", hasFailedProbe: true, probeOutput: "first" });

describe("Report", () => {
  test("the state is unknown at first; the reason says why if the engine can't inspect the container", () => {
    const { report, subject } = rig();
    expect(report.status(subject)).toEqual({
      id: "i",
      name: "n",
      state: "unknown",
      reason: "the engine has not reported it yet",
      since: "1970-01-01T00:00:00.000Z",
      address: null,
      models: [],
      model_count: 0,
      in_flight: 0,
      max_in_flight: null,
      load: null,
      requests_last_minute: null,
      last_exit: null,
      crash_loop: false,
      recent: null,
    });
    report.cannotTell("no answer in time");
    expect(report.status(subject)).toMatchObject({ state: "unknown", reason: "no answer in time" });
  });

  test("an inspect that fails does not change a known state", () => {
    const { report, subject } = rig();
    report.tell(subject, STARTING, 1_000);
    report.cannotTell("no answer in time");
    expect(report.status(subject)).toMatchObject({
      state: "starting",
      since: "1970-01-01T00:00:01.000Z",
    });
  });

  test("each change is one line, for any number of sightings", () => {
    const made = rig();
    const { report, subject } = made;
    for (const sighting of [STARTING, STARTING, EXITED, EXITED]) {
      report.tell(subject, sighting, 1_000);
    }
    expect(lines(made)).toEqual(["info container starting", "info container stopped"]);
    expect(made.log.lines[1]).toMatchObject({ container: "n", reason: "exited with code 1" });
  });

  test("a line is repeated at debug level within a minute", () => {
    const made = rig();
    const { report, subject } = made;
    const restarting = seen({ status: "restarting", exitCode: 1 });
    for (const nowMs of [0, 1_000, MINUTE_MS]) {
      report.tell(subject, restarting, nowMs);
      report.tell(subject, STARTING, nowMs);
    }
    expect(lines(made)).toEqual([
      "warn container restarting",
      "info container starting",
      "debug container restarting",
      "debug container starting",
      "warn container restarting",
      "info container starting",
    ]);
  });

  test("a state that was only logged at debug level and lasts is logged at its own level, with `since`", () => {
    const made = rig();
    const { report, subject } = made;
    report.tell(subject, STARTING, 0);
    report.tell(subject, UNHEALTHY, 1_000);
    for (const nowMs of [2_000, 32_000, MINUTE_MS, 2 * MINUTE_MS]) {
      report.tell(subject, STARTING, nowMs);
    }
    expect(lines(made)).toEqual([
      "info container starting",
      "warn container unhealthy",
      "debug container starting",
      "info container starting",
    ]);
    expect(made.log.lines.at(-1)).toMatchObject({ since: "1970-01-01T00:00:02.000Z" });
  });

  test("a state that was logged at debug level is not logged again if it equals the last visible line", () => {
    const made = rig();
    const { report, subject } = made;
    for (const nowMs of [0, 2 * MINUTE_MS]) report.tell(subject, STARTING, nowMs);
    report.tell(subject, UNHEALTHY, 2 * MINUTE_MS);
    report.tell(subject, STARTING, 2 * MINUTE_MS + 1);
    report.tell(subject, UNHEALTHY, 2 * MINUTE_MS + 2);
    report.tell(subject, UNHEALTHY, 4 * MINUTE_MS);
    expect(lines(made)).toEqual([
      "info container starting",
      "warn container unhealthy",
      "info container starting",
      "debug container unhealthy",
      "warn container unhealthy",
    ]);
  });

  test("a probe that prints another text each time causes one line, and the status has the last text", () => {
    const made = rig();
    const { report, subject } = made;
    report.tell(subject, UNHEALTHY, 0);
    report.tell(
      subject,
      seen({ health: "unhealthy", hasFailedProbe: true, probeOutput: "second" }),
      1_000,
    );
    expect(lines(made)).toEqual(["warn container unhealthy"]);
    expect(report.status(subject).reason).toContain("second");
  });

  test("a container that stopped before the proxy started is no news", () => {
    const made = rig();
    made.report.tell(made.subject, EXITED, 0);
    expect(lines(made)).toEqual(["debug container stopped"]);
  });

  test("the removal of a stopped container is no news", () => {
    const made = rig();
    made.report.tell(made.subject, STARTING, 0);
    made.report.tell(made.subject, EXITED, 1);
    made.report.tell(made.subject, absent(HEALTHY.id, "n"), 2);
    expect(lines(made)).toEqual(["info container starting", "info container stopped"]);
  });

  test("note() sets the status without a log line", () => {
    const made = rig();
    const { report, subject } = made;
    report.tell(subject, STARTING, 0);
    report.note({ state: "stopped", reason: "has ended" }, 5);
    const noted = { state: "stopped", since: "1970-01-01T00:00:00.005Z" };
    expect(report.status(subject)).toMatchObject({ ...noted, reason: "has ended" });
    report.tell(subject, EXITED, 6);
    expect(lines(made)).toEqual(["info container starting", "info container stopped"]);
    expect(report.status(subject)).toMatchObject(noted);
  });

  test("texts that a server makes up are forgotten after a while", () => {
    const made = rig();
    const { report, subject } = made;
    report.tell(subject, STARTING, 0);
    for (let n = 0; n < 40; n += 1) {
      report.tell(subject, seen({ labels: { "inference.enable": `${n}` } }), 1);
    }
    report.tell(subject, STARTING, 2);
    expect(made.log.lines.at(-1)?.level).toBe("info");
  });

  test("the last changes have each change, also one that the log repeats at debug level only", () => {
    const made = rig();
    const { report, subject } = made;
    for (const nowMs of [0, 1_000, 2_000]) {
      report.tell(subject, STARTING, nowMs);
      report.tell(subject, UNHEALTHY, nowMs);
      report.tell(subject, UNHEALTHY, nowMs + 1);
    }
    const why = made.report.status(subject).reason;
    expect(changesOf(made)).toEqual([
      `3: unhealthy, ${why}`,
      "3: starting, waiting for its health check to pass",
    ]);
    expect(made.changes.latest[0]).toMatchObject({ what: "container", name: "n" });
  });

  test("a lasting state that is logged later is no further change", () => {
    const made = rig();
    for (const sighting of [STARTING, UNHEALTHY]) made.report.tell(made.subject, sighting, 0);
    for (const nowMs of [1, MINUTE_MS + 1]) made.report.tell(made.subject, STARTING, nowMs);
    expect(made.log.lines.at(-1)).toMatchObject({ level: "info", message: "container starting" });
    expect(changesOf(made)[0]).toStartWith("2: starting");
  });

  test("a container that is stopped or opted out at first is no change; later it is one", () => {
    const DISABLED = seen({ labels: { "inference.enable": "false" } });
    for (const sighting of [EXITED, DISABLED]) {
      const made = rig();
      made.report.tell(made.subject, sighting, 0);
      expect(changesOf(made)).toEqual([]);
      made.report.tell(made.subject, STARTING, 1);
      made.report.tell(made.subject, sighting, 2);
      expect(changesOf(made)).toHaveLength(2);
    }
  });

  test("last_exit says how the last run ended, and when if that is known", () => {
    const { report, subject } = rig();
    const end = { kind: "exited", brief: "exited", reason: "exited with code 1" } as const;
    expect(report.status({ ...subject, lastEnd: end }).last_exit).toEqual({
      reason: "exited with code 1",
      at: null,
    });
    const lastEnd = { ...end, atMs: 1_000.4 };
    expect(report.status({ ...subject, lastEnd }).last_exit?.at).toBe("1970-01-01T00:00:01.000Z");
    const late = { ...end, atMs: 1_000.9998 };
    expect(report.status({ ...subject, lastEnd: late }).last_exit?.at).toBe(
      "1970-01-01T00:00:01.001Z",
    );
    for (const atMs of [1e300, Number.NaN, -8.64e15 - 1]) {
      expect(report.status({ ...subject, lastEnd: { ...end, atMs } }).last_exit?.at).toBeNull();
    }
  });

  test("a name that is too long is cut", () => {
    const { report, subject } = rig();
    const { name } = report.status({ ...subject, name: "n".repeat(1_000) });
    expect(name).toBe(`${"n".repeat(200)}…`);
  });
});
