import { expect, test } from "bun:test";
import { warnOfOverlaps } from "../../src/fleet/overlaps.ts";
import { WarnOnce } from "../../src/telemetry/warn-once.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { makeBackend } from "../support/server/backends.ts";

const A = makeBackend({ name: "a" });
const B = makeBackend({ name: "b" });

test("two containers with the same models are warned of again when the winner or the models change", () => {
  const log = memoryLog();
  const warnings = new WarnOnce(log);
  const warn = (winner: typeof A, ...modelIds: readonly string[]): number => {
    const other = winner === A ? B : A;
    warnOfOverlaps(warnings, [{ winner, other, modelIds, areReplicas: false }]);
    return log.lines.length;
  };
  expect(warn(B, "m", "n")).toBe(1);
  expect(warn(B, "n", "m")).toBe(1); // another order
  expect(warn(A, "m", "n")).toBe(2); // another winner
  expect(warn(A, "m", "n", "o")).toBe(3);
  expect(warn(A, "m", "n", "o")).toBe(3);
  expect(warn(A, "m")).toBe(4);
  expect(warn(A, "n")).toBe(5); // as many, but another
  expect(log.lines[1]).toMatchObject({
    container: "a",
    instead_of: "b",
    model_count: 2,
    models: ["m", "n"],
  });
});

test("a warning of 10,000 common models with long names is a short line", () => {
  const log = memoryLog();
  const modelIds = Array.from({ length: 10_000 }, (_, n) => `${n}${"x".repeat(5_000)}`);
  warnOfOverlaps(new WarnOnce(log), [{ winner: A, other: B, modelIds, areReplicas: false }]);
  expect(log.lines[0]).toMatchObject({ model_count: 10_000 });
  expect(JSON.stringify(log.lines[0]).length).toBeLessThan(1_500);
});
