import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseContainer, parseTimeMs } from "../../src/engine/container.ts";
import { readFixture } from "../support/engine/replies.ts";

const RECORDED = readdirSync(join(import.meta.dir, "../support/engine/inspect")).filter(
  (name) => !name.includes("list") && !name.includes("version"),
);

describe("parseContainer()", () => {
  test.each(RECORDED)("reads the recorded %s", (name) => {
    const container = parseContainer(readFixture(name));
    expect(container.id).toMatch(/^[\da-f]{64}$/);
    expect(container.name).not.toStartWith("/");
    expect(container.startedAtMs).not.toBeNaN();
  });

  test.each([
    ["docker-20.10.24-healthy.json", "running", "healthy"],
    ["docker-20.10.24-unhealthy.json", "running", "unhealthy"],
    ["docker-20.10.24-starting.json", "running", "starting"],
    ["docker-20.10.24-paused.json", "paused", "unhealthy"],
    ["docker-20.10.24-exited.json", "exited", "unhealthy"],
    ["docker-20.10.24-no-healthcheck.json", "running", "none"],
    ["docker-20.10.24-created-not-started.json", "created", "none"],
    ["docker-26.1.5-api1.24-healthy.json", "running", "healthy"],
    ["docker-26.1.5-api1.45-healthy.json", "running", "healthy"],
    ["podman-4.3.1-running-healthy.json", "running", "healthy"],
  ])("%s is %s and %s", (name, status, health) => {
    expect(parseContainer(readFixture(name))).toMatchObject({ status, health });
  });

  test("reads the name, the id and both kinds of addresses of networks", () => {
    const { networks } = parseContainer(readFixture("docker-20.10.24-ipv6-network.json"));
    expect(networks).toHaveLength(1);
    expect(networks[0]!.ipv4).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(networks[0]!.ipv6).toContain(":");
    expect(networks[0]!.id).toMatch(/^[\da-f]{64}$/);
  });

  test.each([
    [undefined, 15],
    ["", 15],
    ["SIGINT", 2],
    ["INT", 2],
    ["2", 2],
    ["sigquit", 3],
    ["SIGRTMIN+3", 37],
    ["RTMIN", 34],
    ["SIGRTMAX-1", 63],
    ["SIGNONSENSE", 15],
  ])("stop signal %p is %p", (text, number) => {
    const reply = readFixture("docker-20.10.24-healthy.json");
    if (text === undefined) delete reply.Config.StopSignal;
    else reply.Config.StopSignal = text;
    expect(parseContainer(reply).stopSignal).toBe(number);
  });

  test.each([
    [undefined, 10_000],
    [75, 75_000],
    [0, 0],
    [-1, Number.POSITIVE_INFINITY],
  ])("stop timeout %p s is %p ms", (seconds, ms) => {
    const reply = readFixture("docker-20.10.24-healthy.json");
    if (seconds === undefined) delete reply.Config.StopTimeout;
    else reply.Config.StopTimeout = seconds;
    expect(parseContainer(reply).stopTimeoutMs).toBe(ms);
  });

  test("reads the end of the last run, the number of restarts, and whether a label hides exit codes", () => {
    const reply = readFixture("docker-20.10.24-exited.json");
    const finished = Date.parse("2026-11-22T23:56:25.439Z") + 0.859;
    expect(parseContainer(reply)).toMatchObject({ restartCount: 0, exitCodeIsHidden: false });
    expect(parseContainer(reply).finishedAtMs).toBeCloseTo(finished, 2);
    Object.assign(reply, { RestartCount: 7 });
    reply.Config.Labels = { exitCode: "0" };
    expect(parseContainer(reply)).toMatchObject({ restartCount: 7, exitCodeIsHidden: true });
    Object.assign(reply, { RestartCount: null });
    Object.assign(reply.State, { FinishedAt: null });
    expect(parseContainer(reply)).toMatchObject({ restartCount: 0, finishedAtMs: 0 });
    const running = parseContainer(readFixture("docker-20.10.24-healthy.json"));
    expect(running.finishedAtMs).toBeLessThan(0);
  });

  test("throws if the reply is not an answer to an inspect", () => {
    expect(() => parseContainer({ message: "x" })).toThrow();
  });
});

test("parseTimeMs() keeps fractions of a millisecond", () => {
  const whole = Date.parse("2026-11-22T23:47:45.592Z");
  expect(parseTimeMs("2026-11-22T23:47:45.592984695Z") - whole).toBeCloseTo(0.984695, 3);
  expect(parseTimeMs("2026-11-22T23:47:45.592984695+00:00") - whole).toBeCloseTo(0.984695, 3);
  expect(parseTimeMs("2026-11-22T23:47:45.592Z")).toBe(whole);
  expect(parseTimeMs("2026-11-22T23:47:45Z")).toBe(whole - 592);
});
