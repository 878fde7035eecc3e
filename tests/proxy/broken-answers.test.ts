import { describe, expect, test } from "bun:test";
import type { Broken } from "../../src/proxy/broken-answers.ts";
import { PATIENCE } from "../../src/proxy/upstream-abort.ts";
import type { RunEnd } from "../../src/routing/run.ts";
import {
  BROKE_OFF,
  BROKEN,
  coded,
  FAILED,
  LONG,
  OOM,
  REFUSED,
  reasonOf,
  rig,
} from "../support/proxy/broken-rig.ts";
import { makeBackend } from "../support/server/backends.ts";
import { expectNever, until } from "../support/until.ts";

describe("BrokenAnswers", () => {
  test("waits for the run's end as long as a 502 does, and then logs nothing for a minute", async () => {
    expect(PATIENCE.runEndMs).toBe(300);
    const at = rig({ gatherMs: PATIENCE.runEndMs });
    at.broken.add(at.backend, BROKEN);
    at.backend.ending.ended(OOM);
    expect(at.log.lines).toEqual([]);
    expect(await reasonOf(at)).toBe(
      "its container ran out of memory (exit code 137) 41 s into the answer",
    );
    expect(at.log.lines[0]?.level).toBe("warn");
  });

  test("logs a thousand answers of one run in one line, with the longest time", async () => {
    const at = rig({ gatherMs: 20 });
    const other = makeBackend({ name: "vllm-1", ending: at.backend.ending });
    for (let n = 0; n < 1_000; n += 1) {
      at.broken.add(n % 2 === 0 ? at.backend : other, { ...BROKEN, afterMs: n });
    }
    at.backend.ending.ended(OOM);
    await until("it is logged", () => at.log.lines.length > 0);
    const reason =
      "its container ran out of memory (exit code 137) 1 s into the longest of the answers";
    const line = { message: BROKE_OFF, container: "vllm-1", model: "m", answers: 1_000, reason };
    expect(at.told()).toEqual([line]);
    at.broken.flush();
    expect(at.log.lines).toHaveLength(1);
  });

  test("names no model if several models are affected, and logs each run separately", async () => {
    const at = rig();
    at.broken.add(at.backend, BROKEN);
    at.broken.add(at.backend, { ...BROKEN, model: "n" });
    at.broken.add(makeBackend({ name: "vllm-2" }), BROKEN);
    await until("both are logged", () => at.log.lines.length === 2);
    expect(at.told()).toEqual([
      { message: BROKE_OFF, container: "vllm-1", answers: 2, reason: expect.any(String) },
      {
        message: BROKE_OFF,
        container: "vllm-2",
        model: "m",
        answers: 1,
        reason: expect.any(String),
      },
    ]);
  });

  test("logs the failures of a running server once in each interval, with their number", async () => {
    const at = rig({ quietMs: 100 });
    at.broken.add(at.backend, BROKEN);
    const reason =
      "the server closed the connection 41 s into the answer; its container still seems to run";
    expect(await reasonOf(at)).toBe(reason);
    const startMs = performance.now();
    for (let n = 0; n < 50; n += 1) at.broken.add(at.backend, { ...BROKEN, afterMs: 200 });
    await until("there is a new line", () => at.log.lines.length > 1);
    expect(performance.now() - startMs).toBeGreaterThan(80);
    expect(at.told()[1]).toEqual({
      ...{ message: BROKE_OFF, container: "vllm-1", model: "m", answers: 50 },
      reason:
        "the server closed the connection 0.2 s into the longest of the answers; its container still seems to run",
    });
  });

  test("logs the end of a run at once, even right after another line", async () => {
    const at = rig({ quietMs: LONG });
    at.broken.add(at.backend, BROKEN);
    expect(await reasonOf(at)).toEndWith("still seems to run");
    at.broken.add(at.backend, BROKEN);
    await expectNever("a line within the quiet time", () => at.log.lines.length > 1, 20);
    at.backend.ending.ended(OOM);
    await until("it is logged", () => at.log.lines.length > 1);
    expect(await reasonOf(at)).toContain("ran out of memory");
    at.broken.add(at.backend, BROKEN);
    await expectNever("one more line", () => at.log.lines.length > 2, 20);
    at.broken.flush();
    expect(at.log.lines).toHaveLength(3);
  });

  test("logs late failures in one more line", async () => {
    const at = rig({ quietMs: 50 });
    at.backend.ending.ended(OOM);
    at.broken.add(at.backend, BROKEN);
    await reasonOf(at);
    for (let n = 0; n < 5; n += 1) at.broken.add(at.backend, BROKEN);
    await until("it is logged", () => at.log.lines.length > 1);
    expect(at.log.lines.map(({ answers }) => answers)).toEqual([1, 5]);
  });

  test("logs all waiting failures when the process ends", () => {
    const at = rig({ gatherMs: LONG });
    at.broken.add(at.backend, BROKEN);
    at.broken.add(at.backend, REFUSED);
    at.broken.flush();
    at.broken.flush();
    expect(at.log.lines.map(({ message }) => message)).toEqual([BROKE_OFF, FAILED]);
  });

  test.each<[what: string, broken: Partial<Broken>, reason: string]>([
    ["an expired drain timeout", { abortReason: "cut" }, "the drain timeout of 60 s expired"],
    [
      "a run that is over",
      { abortReason: "run-over" },
      "the server stopped or is no longer reachable 41 s into the answer",
    ],
    [
      "an answer that is not HTTP",
      { error: coded("InvalidHTTPResponse") },
      "the server's answer is not valid HTTP (InvalidHTTPResponse) 41 s into the answer",
    ],
  ])("names the reason in plain words: %s", async (_what, but, reason) => {
    const at = rig({ drainTimeoutMs: 60_000 });
    at.broken.add(at.backend, { ...BROKEN, ...but });
    expect(await reasonOf(at)).toBe(reason);
  });

  test("names an expired drain timeout without its length if that is unknown", async () => {
    const at = rig();
    at.broken.add(at.backend, { ...BROKEN, abortReason: "cut" });
    expect(await reasonOf(at)).toBe("the drain timeout expired");
  });

  test("says that a running server was told to stop", async () => {
    const at = rig();
    at.backend.ending.toldToStop();
    at.broken.add(at.backend, { ...BROKEN, afterMs: 130_000 });
    expect(await reasonOf(at)).toBe(
      "the server closed the connection 2.2 min into the answer; its container was told to stop",
    );
  });

  test.each<[what: string, end: RunEnd, reason: string]>([
    [
      "advice follows the reason",
      { ...OOM, kind: "killed", reason: "was killed (exit code 137): give it more time; or not" },
      "its container was killed (exit code 137), 41 s into the answer: give it more time; or not",
    ],
    [
      "the end was not seen",
      { kind: "unknown", brief: "has ended", reason: "its process has ended" },
      "its container has ended 41 s into the answer",
    ],
  ])("puts the time in the right place when %s", async (_what, end, reason) => {
    const at = rig();
    at.backend.ending.ended(end);
    at.broken.add(at.backend, BROKEN);
    expect(await reasonOf(at)).toBe(reason);
  });

  test("does not name the run's end for failures with another reason", async () => {
    const at = rig({ drainTimeoutMs: 500 });
    at.backend.ending.ended(OOM);
    at.broken.add(at.backend, { ...BROKEN, abortReason: "cut" });
    at.broken.add(at.backend, { ...REFUSED, error: coded("EMFILE") });
    await until("both are logged", () => at.log.lines.length === 2);
    expect(at.log.lines.map(({ reason }) => reason)).toEqual([
      "the drain timeout of 0.5 s expired",
      "the proxy is out of file descriptors",
    ]);
  });

  test("names at most three different reasons in a line", async () => {
    const at = rig();
    for (const status of [500, 501, 502, 504]) {
      at.broken.add(at.backend, { ...BROKEN, error: new Error(`status ${status}`) });
    }
    const words = [500, 501, 502].map((status) => `the server answered with status ${status}`);
    expect(await reasonOf(at)).toBe(`${words.join(", or ")} 41 s into the longest of the answers`);
  });

  test("logs requests that failed before an answer in separate lines", async () => {
    const at = rig();
    at.broken.add(at.backend, BROKEN);
    for (let n = 0; n < 50; n += 1) at.broken.add(at.backend, REFUSED);
    at.broken.add(at.backend, { ...REFUSED, abortReason: "connect timed out" });
    for (let n = 0; n < 50; n += 1) {
      at.broken.add(at.backend, { ...REFUSED, error: coded("EHOSTUNREACH") });
    }
    at.broken.add(at.backend, { ...REFUSED, error: coded("EPIPE") });
    await until("both are logged", () => at.log.lines.length === 2);
    expect(at.told()[1]).toEqual({
      ...{ message: FAILED, container: "vllm-1", model: "m", requests: 102 },
      reason:
        "the server refused the connection, or the proxy could not connect to the server, or the server closed the connection; its container still seems to run",
    });
  });

  test("names the run's end for requests that failed before an answer", async () => {
    const at = rig();
    at.broken.add(at.backend, REFUSED);
    at.backend.ending.ended(OOM);
    expect(await reasonOf(at)).toBe("its container ran out of memory (exit code 137)");
  });
});
