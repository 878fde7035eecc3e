import { expect, test } from "bun:test";
import { WarnOnce } from "../../src/telemetry/warn-once.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

test("WarnOnce repeats a warning only if its text changes", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  for (const reason of ["a", "a", "b", "b", "a"]) warnings.warn(["c1"], "ignored", { reason });
  expect(log.count("ignored")).toBe(3);
});

test("WarnOnce distinguishes containers, messages and pairs of containers, in any order", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  warnings.warn(["c1"], "ignored", {});
  warnings.warn(["c2"], "ignored", {});
  warnings.warn(["c1"], "doubted", {});
  warnings.warn(["c1", "c2"], "overlap", {});
  warnings.warn(["c2", "c1"], "overlap", {});
  expect([log.count("ignored"), log.count("doubted"), log.count("overlap")]).toEqual([2, 1, 1]);
});

test("WarnOnce compares `said`, if given, instead of the reason", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  warnings.warn(["c1"], "ignored", { reason: "a" }, "same");
  warnings.warn(["c1"], "ignored", { reason: "b" }, "same");
  expect(log.count("ignored")).toBe(1);
});

test("forget() forgets the warnings about that container only", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  const warnAll = (): void => {
    warnings.warn(["c1"], "ignored", {});
    warnings.warn(["c2"], "ignored", {});
    warnings.warn(["c1", "c2"], "overlap", {});
  };
  warnAll();
  warnings.forget("c1");
  warnAll();
  expect([log.count("ignored"), log.count("overlap")]).toEqual([3, 2]);
});
