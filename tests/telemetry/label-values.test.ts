import { expect, test } from "bun:test";
import { LabelValues } from "../../src/telemetry/label-values.ts";

test("of() returns known names unchanged, and the shared value for all others", () => {
  const models = new LabelValues("unknown");
  expect(models.of("org/m", true)).toBe("org/m");
  expect(models.of("made up", false)).toBe("unknown");
  expect(models.of("m".repeat(256), true)).toHaveLength(256);
  expect(models.of("m".repeat(257), true)).toBe("unknown");
});

test("of() keeps a name that is no longer known, so that its series continues", () => {
  const models = new LabelValues("unknown");
  models.of("m", true);
  expect(models.of("m", false)).toBe("m");
});

test.each([[undefined, 1_000] as const, [7, 7] as const])(
  "of() never returns more values than the limit (%p)",
  (max, most) => {
    const values = new LabelValues("other", max);
    const given = new Set(
      Array.from({ length: 5_000 }, (_, index) => values.of(`n${index}`, true)),
    );
    expect(given.size).toBe(most);
    expect(values.of("n4999", true)).toBe("other");
    expect(values.of("n0", true)).toBe("n0");
  },
);
