import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { notHealthy, notRunning } from "../../../src/sources/docker/reasons.ts";
import { readFixture } from "../../support/engine/replies.ts";

const HEALTHY = parseContainer(readFixture("docker-20.10.24-healthy.json"));

/** The reply of a paused container, after `docker unpause`: recorded, but for `Status` and `Paused`. */
function unpaused(log: readonly object[] | null): Container {
  const reply = readFixture("docker-20.10.24-paused.json");
  Object.assign(reply.State, { Status: "running", Paused: false });
  Object.assign((reply.State as { Health: object }).Health, log && { Log: log });
  return parseContainer(reply);
}

describe("notHealthy()", () => {
  const AFTER_PAUSE =
    "it was paused, and the engine calls it unhealthy until its next health check passes";

  test.each<[what: string, container: Container, reason: string]>([
    ["straight after docker unpause: no probe has failed", unpaused(null), AFTER_PAUSE],
    ["the same, before the first probe", unpaused([]), AFTER_PAUSE],
    [
      "a probe that has failed since",
      unpaused([{ ExitCode: 0 }, { ExitCode: 1, Output: "refused\n" }]),
      "its health check fails: refused",
    ],
    [
      "a probe without an exit code",
      unpaused([{ Output: "" }]),
      "its health check fails: it prints nothing",
    ],
    [
      "one whose probes fail",
      parseContainer(readFixture("docker-20.10.24-unhealthy.json")),
      "its health check fails: wget: server returned error: HTTP/1.1 503 Service Unavailable",
    ],
  ])("%s", (_what, container, reason) => {
    expect(container.health).toBe("unhealthy");
    expect(notHealthy(container)).toEqual({ state: "unhealthy", reason });
  });

  test("while it is paused", () => {
    const paused = parseContainer(readFixture("docker-20.10.24-paused.json"));
    expect(notHealthy(paused)?.state).toBe("paused");
  });
});

describe("notRunning()", () => {
  test.each<[change: Partial<Container>, expected: string]>([
    [{ status: "exited", exitCode: 1 }, "stopped: exited with code 1"],
    [
      { status: "exited", exitCode: 137, outOfMemory: true },
      "stopped: it ran out of memory (exit code 137)",
    ],
    [
      { status: "exited", exitCode: 127, startError: "no such file" },
      "stopped: exited with code 127: no such file",
    ],
    [{ status: "created" }, "stopped: never started"],
    [
      { status: "created", startError: "port is taken" },
      "stopped: could not be started: port is taken",
    ],
    [
      { status: "restarting", exitCode: 1 },
      "restarting: exited with code 1; the engine starts it again",
    ],
    [{ status: "removing" }, "stopped: being removed"],
  ])("%o", (change, expected) => {
    const { state, reason } = notRunning({ ...HEALTHY, ...change });
    expect(`${state}: ${reason}`).toBe(expected);
  });

  test("what the engine says of exits is read: code, memory, failed starts", () => {
    const reply = readFixture("docker-20.10.24-exited.json");
    Object.assign(reply.State, { ExitCode: 3, OOMKilled: true, Error: "a\nb" });
    expect(parseContainer(reply)).toMatchObject({
      exitCode: 3,
      outOfMemory: true,
      startError: "a b",
    });
  });
});
