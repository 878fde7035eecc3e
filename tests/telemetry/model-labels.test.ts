import { expect, test } from "bun:test";
import { ModelLabels } from "../../src/telemetry/model-labels.ts";

test("of() gives ids of the routing table as they are, and `unknown` for all else", () => {
  const labels = new ModelLabels();
  expect(labels.of("org/m", true)).toBe("org/m");
  expect(labels.of("made up", false)).toBe("unknown");
  expect(labels.of("m".repeat(256), true)).toHaveLength(256);
  expect(labels.of("m".repeat(257), true)).toBe("unknown");
});

test("of() keeps an id that has left the table, so that its series goes on", () => {
  const labels = new ModelLabels();
  labels.of("m", true);
  expect(labels.of("m", false)).toBe("m");
});

test("of() never gives more than 1,000 values", () => {
  const labels = new ModelLabels();
  const given = new Set(Array.from({ length: 5_000 }, (_, index) => labels.of(`m${index}`, true)));
  expect(given.size).toBe(1_000);
  expect(labels.of("m4999", true)).toBe("unknown");
  expect(labels.of("m0", true)).toBe("m0");
});
