import { expect, test } from "bun:test";
import { type Held, plan, type Seen, type Step } from "../../src/fleet/plan.ts";

const SEEN: readonly Seen[] = [
  "routable",
  "stopping",
  "not healthy",
  "starting",
  "absent",
  "models read",
  "read failed",
];

/** The state table of the contract, cell for cell, in the order of SEEN. */
const TABLE: readonly (readonly [held: Held, ...steps: Step[]])[] = [
  ["unknown", "probe", "keep", "keep", "keep", "remove", "keep", "keep"],
  ["probing", "keep", "stop probing", "stop probing", "stop probing", "remove", "admit", "keep"],
  ["active", "keep", "drain by deadline", "drain", "keep", "remove", "replace models", "keep"],
  ["draining", "readmit", "set deadline", "keep", "keep", "remove", "keep", "keep"],
  ["draining after notice", "probe", "set deadline", "keep", "keep", "remove", "keep", "keep"],
];

const CELLS = TABLE.flatMap(([held, ...steps]) =>
  SEEN.map((seen, index): [Held, Seen, Step] => [held, seen, steps[index]!]),
);

test.each(CELLS)("plan() of %s that is seen %s is %s", (held, seen, step) => {
  expect(plan(held, seen)).toBe(step);
});

test("the table covers every cell", () => {
  expect(CELLS).toHaveLength(5 * 7);
});
