import { describe, expect, test } from "bun:test";
import { Expectations } from "../../src/routing/expectations.ts";

const ONE = { source: "docker", id: "one" };
const OTHER = { source: "docker", id: "other" };
const KEYS = ["docker one", "docker other"];
const models = [{ id: "m" }];
const SAYS = "ran out of memory and is starting again";

describe("unavailable()", () => {
  test("is hopeless only if no server is expected to serve the model soon", () => {
    const expected = new Expectations();
    expected.set(ONE, { models, isHopeless: true });
    expected.set(OTHER, { models });
    expect(expected.unavailable(KEYS).isHopeless).toBeUndefined();
    expected.set(OTHER, { models, isHopeless: true });
    expect(expected.unavailable(KEYS).isHopeless).toBe(true);
  });

  test("says what became of a server only if it is the only one", () => {
    const expected = new Expectations();
    expected.set(ONE, { models, says: SAYS });
    expected.set(OTHER, { models });
    expect(expected.unavailable(KEYS.slice(0, 1)).says).toBe(SAYS);
    expect(expected.unavailable(KEYS).says).toBeUndefined();
  });
});

test.each([
  ["stopping", []],
  ["drained", []],
  ["misconfigured", []],
  ["being replaced", []],
  ["paused", ["docker one"]],
  ["unhealthy", ["docker one"]],
  [undefined, ["docker one"]],
] as const)("with trouble %p, the servers that stay are %p", (trouble, staying) => {
  const expected = new Expectations();
  expected.set(ONE, { models, trouble });
  expect(expected.staying).toEqual(staying);
});
