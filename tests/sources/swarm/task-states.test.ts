import { describe, expect, test } from "bun:test";
import {
  endOf,
  hasEnded,
  hasStarted,
  isRunning,
  isToStop,
  withPorts,
} from "../../../src/sources/swarm/task-states.ts";
import { aTask } from "../../support/engine/swarm-parts.ts";

describe("the states of a task", () => {
  test.each([
    ["new", false, false],
    ["pending", false, false],
    ["ready", false, false],
    ["starting", false, true],
    ["running", false, true],
    ["complete", true, false],
    ["shutdown", true, false],
    ["failed", true, false],
    ["rejected", true, false],
    ["remove", true, false],
    ["orphaned", true, false],
  ])("%s: ended %p, has a container %p", (state, ended, started) => {
    expect([hasEnded(aTask({ state })), hasStarted(aTask({ state }))]).toEqual([ended, started]);
  });

  test.each([
    ["running", false],
    ["ready", false],
    ["shutdown", true],
    ["remove", true],
    ["complete", true],
  ])("desired state %s: must stop %p", (desiredState, toStop) => {
    expect(isToStop(aTask({ desiredState }))).toBe(toStop);
  });

  test("isRunning() needs the state and the desired state running", () => {
    expect(isRunning(aTask())).toBe(true);
    expect(isRunning(aTask({ state: "starting" }))).toBe(false);
    expect(isRunning(aTask({ desiredState: "shutdown" }))).toBe(false);
    expect(isRunning(aTask({ desiredState: "ready" }))).toBe(false);
  });
});

describe("endOf()", () => {
  test.each([
    [{ state: "shutdown", exitCode: 143 }, "stopped", "was stopped"],
    [
      {
        state: "failed",
        exitCode: 143,
        error: "task: non-zero exit (143): dockerexec: unhealthy container",
      },
      "stopped",
      "was stopped by Swarm because its health check failed",
    ],
    [{ state: "orphaned" }, "unknown", "is no longer reachable: its node is down"],
    [{ state: "failed", exitCode: -1 }, "unknown", "has ended"],
    [
      { state: "failed", exitCode: 137, error: "task: non-zero exit (137)" },
      "killed",
      "was killed (exit code 137), probably because memory ran out",
    ],
    [
      { state: "failed", exitCode: 3, error: "task: non-zero exit (3)" },
      "exited",
      "exited with code 3",
    ],
    [{ state: "complete", exitCode: 0 }, "exited", "exited with code 0"],
    [
      { state: "rejected", exitCode: undefined, error: "No such image: x" },
      "exited",
      "exited with code 0: No such image: x",
    ],
  ] as const)("%o is %s", (init, kind, reason) => {
    const end = endOf(aTask(init));
    expect([end.kind, end.reason]).toEqual([kind, reason]);
    expect(end.atMs).toBe(aTask().stateSinceMs);
  });

  test("leaves out an unknown time", () => {
    expect(endOf(aTask({ state: "failed", stateSinceMs: Number.NaN })).atMs).toBeUndefined();
  });
});

test("withPorts() keeps the ports that were reported once", () => {
  const hostPorts = [{ protocol: "tcp", targetPort: 8000, publishedPort: 32_768 }];
  expect(withPorts(aTask(), aTask({ hostPorts })).hostPorts).toEqual(hostPorts);
  expect(withPorts(aTask({ hostPorts }), aTask()).hostPorts).toEqual(hostPorts);
});
