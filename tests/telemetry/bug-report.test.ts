import { expect, test } from "bun:test";
import { BugReport } from "../../src/telemetry/bug-report.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

/** Always throws its error in the same place. */
function bug(message: string): Error {
  return new TypeError(message);
}

test("tell() reports the same bug once a minute, even with a different message", () => {
  const log = memoryLog();
  const bugs = new BugReport(log);
  for (const [message, nowMs] of [
    ["x is undefined", 0],
    ["y is undefined", 59_999],
    ["z is undefined", 60_000],
  ] as const) {
    bugs.tell("while looking", bug(message), nowMs);
  }
  expect(log.count('"doing":"while looking"')).toBe(2);
});

test("tell() reports an error from another place or another activity at once", () => {
  const log = memoryLog();
  const bugs = new BugReport(log);
  bugs.tell("while looking", bug("x"), 0);
  bugs.tell("while reading", bug("x"), 0);
  bugs.tell("while looking", new TypeError("x"), 0);
  expect(log.count('"doing":"while looking')).toBe(2);
  expect(log.count('"doing":"while reading')).toBe(1);
});

test("guard() reports a thrown error and still resolves", async () => {
  const log = memoryLog();
  const bugs = new BugReport(log);
  await bugs.guard("while looking", () => Promise.reject(bug("x")));
  await bugs.guard("while looking", () => Promise.resolve());
  expect(log.count('"doing":"while looking')).toBe(1);
});
