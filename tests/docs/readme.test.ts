/** The README is short, and what it lists is what the code has. */
import { describe, expect, test } from "bun:test";
import { VARIABLES } from "../../src/config.ts";
import { LABELS } from "../../src/sources/labels.ts";
import { readText, tableOf } from "../support/docs.ts";

const README = readText("README.md");

describe("README.md", () => {
  test("has at most 200 lines", () => {
    expect(README.split("\n").length - 1).toBeLessThanOrEqual(200);
  });

  test("has every label with its default, and no other", () => {
    const rows = tableOf(README, "Label").map(([label, value]) => [
      label,
      value === "–" ? undefined : value,
    ]);
    expect(Object.fromEntries(rows)).toStrictEqual(LABELS);
  });

  test("has every variable with its default, and no other", () => {
    const defaults = Object.entries(VARIABLES).map(([name, variable]) => [name, variable.default]);
    const rows = tableOf(README, "Variable").map(([name, value]) => [
      name,
      value === "–" ? "" : value,
    ]);
    expect(rows).toEqual(defaults);
  });
});
