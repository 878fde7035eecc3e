import { expect, test } from "bun:test";
import { WarnOnce } from "../../src/telemetry/warn-once.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

test("WarnOnce repeats a warning only if its text changes", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  for (const reason of ["a", "a", "b", "b", "a"])
    warnings.warn(["c1"], "unknown labels", { reason });
  expect(log.count("unknown labels")).toBe(3);
});

test("WarnOnce distinguishes containers, messages and pairs of containers, in any order", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  warnings.warn(["c1"], "unknown labels", {});
  warnings.warn(["c2"], "unknown labels", {});
  warnings.warn(["c1"], "replicas differ", {});
  warnings.warn(["c1", "c2"], "duplicate models", {});
  warnings.warn(["c2", "c1"], "duplicate models", {});
  expect([
    log.count("unknown labels"),
    log.count("replicas differ"),
    log.count("duplicate models"),
  ]).toEqual([2, 1, 1]);
});

test("WarnOnce compares `said`, if given, instead of the reason", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  warnings.warn(["c1"], "unknown labels", { reason: "a" }, "same");
  warnings.warn(["c1"], "unknown labels", { reason: "b" }, "same");
  expect(log.count("unknown labels")).toBe(1);
});

test("forget() forgets the warnings about that container only", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  const warnAll = (): void => {
    warnings.warn(["c1"], "unknown labels", {});
    warnings.warn(["c2"], "unknown labels", {});
    warnings.warn(["c1", "c2"], "duplicate models", {});
  };
  warnAll();
  warnings.forget("c1");
  warnAll();
  expect([log.count("unknown labels"), log.count("duplicate models")]).toEqual([3, 2]);
});
