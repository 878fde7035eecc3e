import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { notRunning } from "../../../src/sources/docker/reasons.ts";
import { readFixture } from "../../support/engine/replies.ts";

const HEALTHY = parseContainer(readFixture("docker-20.10.24-healthy.json"));

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
