import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import type { Past } from "../../../src/sources/docker/past.ts";
import { comingUp, notHealthy, notRunning } from "../../../src/sources/docker/reasons.ts";
import { readFixture } from "../../support/engine/replies.ts";

const HEALTHY = parseContainer(readFixture("docker-20.10.24-healthy.json"));

/** The inspect of a container after `docker unpause`: a recording, except `Status` and `Paused`. */
function unpaused(log: readonly object[] | null): Container {
  const reply = readFixture("docker-20.10.24-paused.json");
  Object.assign(reply.State, { Status: "running", Paused: false });
  Object.assign((reply.State as { Health: object }).Health, log && { Log: log });
  return parseContainer(reply);
}

describe("notHealthy()", () => {
  const AFTER_PAUSE =
    "it was paused; the engine reports it as unhealthy until its next health check passes";

  test.each<[what: string, container: Container, reason: string]>([
    ["straight after docker unpause: no probe has failed", unpaused(null), AFTER_PAUSE],
    ["after docker unpause, before the first probe", unpaused([]), AFTER_PAUSE],
    [
      "a probe that has failed since",
      unpaused([{ ExitCode: 0 }, { ExitCode: 1, Output: "refused\n" }]),
      "its health check fails: refused",
    ],
    [
      "a probe without an exit code",
      unpaused([{ Output: "" }]),
      "its health check fails: the check prints nothing",
    ],
    [
      "a container with failing probes",
      parseContainer(readFixture("docker-20.10.24-unhealthy.json")),
      "its health check fails: wget: server returned error: HTTP/1.1 503 Service Unavailable",
    ],
  ])("%s", (_what, container, reason) => {
    expect(container.health).toBe("unhealthy");
    expect(notHealthy(container)).toEqual({ state: "unhealthy", reason });
  });

  test("a paused container", () => {
    const paused = parseContainer(readFixture("docker-20.10.24-paused.json"));
    expect(notHealthy(paused)?.state).toBe("paused");
  });
});

const NO_PAST: Past = {
  end: undefined,
  livedMs: undefined,
  isRecent: false,
  wasStopped: false,
  endCount: 0,
  isCrashLoop: false,
  restartCount: 0,
};
const EXITED: Past = {
  ...NO_PAST,
  end: { kind: "exited", brief: "exited with code 1", reason: "exited with code 1" },
  livedMs: 12_400,
  isRecent: true,
  endCount: 1,
};
const KILLED: Past = {
  ...EXITED,
  end: { kind: "killed", brief: "was killed", reason: "was killed by docker kill or docker rm -f" },
};
const STOPPED: Past = {
  ...EXITED,
  end: { kind: "stopped", brief: "was stopped", reason: "was stopped (exit code 3)" },
  wasStopped: true,
  endCount: 0,
};
const LOOP: Past = { ...EXITED, endCount: 5, isCrashLoop: true };

describe("notRunning()", () => {
  test.each<[change: Partial<Container>, past: Past, expected: string]>([
    [{ status: "exited" }, EXITED, "stopped: exited with code 1 after 12 s"],
    [
      { status: "exited" },
      { ...EXITED, endCount: 4 },
      "stopped: ended 4 times in 10 min; last: exited with code 1 after 12 s",
    ],
    [{ status: "exited" }, STOPPED, "stopped: was stopped (exit code 3)"],
    [
      { status: "exited" },
      { ...EXITED, wasStopped: true },
      "stopped: was stopped; its last run exited with code 1",
    ],
    [{ status: "exited" }, KILLED, "stopped: was killed by docker kill or docker rm -f"],
    [
      { status: "exited", startError: "no such file" },
      { ...EXITED, livedMs: undefined },
      "stopped: exited with code 1: no such file",
    ],
    [{ status: "created" }, NO_PAST, "stopped: never started"],
    [
      { status: "created", startError: "port is taken" },
      NO_PAST,
      "stopped: could not be started: port is taken",
    ],
    [
      { status: "restarting" },
      EXITED,
      "restarting: exited with code 1 after 12 s; the engine is restarting it",
    ],
    [
      { status: "restarting" },
      { ...EXITED, endCount: 5, restartCount: 5 },
      "restarting: ended 5 times in 10 min; last: exit code 1 after 12 s; the engine is restarting it",
    ],
    [
      { status: "restarting" },
      { ...EXITED, restartCount: 41 },
      "restarting: exited with code 1 after 12 s; restarted 41 times in total; the engine is restarting it",
    ],
    [
      { status: "restarting" },
      { ...EXITED, endCount: 120, restartCount: 400 },
      "restarting: ended over 100 times in 10 min, 400 times in total; last: exit code 1 after 12 s; the engine is restarting it",
    ],
    [
      { status: "restarting" },
      LOOP,
      "restarting: ended 5 times in 10 min; last: exit code 1 after 12 s; it crashes again and again, so no request waits for it; look at docker logs d06",
    ],
    [{ status: "restarting" }, NO_PAST, "restarting: has ended; the engine is restarting it"],
    [{ status: "removing" }, NO_PAST, "stopped: being removed"],
    [{ status: "dead" }, NO_PAST, 'stopped: the engine reports its status as "dead"'],
  ])("%o %#", (change, past, expected) => {
    const { state, reason } = notRunning({ ...HEALTHY, name: "d06", ...change }, past);
    expect(`${state}: ${reason}`).toBe(expected);
  });

  test("reads the engine's facts about exits: code, memory, failed starts", () => {
    const reply = readFixture("docker-20.10.24-exited.json");
    Object.assign(reply.State, { ExitCode: 3, OOMKilled: true, Error: "a\nb" });
    expect(parseContainer(reply)).toMatchObject({
      exitCode: 3,
      outOfMemory: true,
      startError: "a b",
    });
  });
});

describe("comingUp()", () => {
  test.each<[what: string, past: Past, expected: string | undefined]>([
    ["its first run", NO_PAST, undefined],
    ["after a crash", EXITED, "its last run exited with code 1 after 12 s"],
    ["after a kill", KILLED, "its last run was killed by docker kill or docker rm -f"],
    ["after docker restart", STOPPED, undefined],
    ["a crash long ago", { ...EXITED, isRecent: false }, undefined],
    [
      "after two crashes",
      { ...EXITED, endCount: 2 },
      "ended 2 times in 10 min; last: exit code 1 after 12 s",
    ],
    [
      "restarted before the proxy started",
      { ...NO_PAST, restartCount: 41 },
      "the engine has restarted it 41 times",
    ],
    [
      "a crash loop",
      LOOP,
      "ended 5 times in 10 min; last: exit code 1 after 12 s; it crashes again and again, so no request waits for it; look at docker logs d06",
    ],
  ])("%s", (_what, past, expected) => {
    expect(comingUp("d06", past)).toBe(expected);
  });
});
