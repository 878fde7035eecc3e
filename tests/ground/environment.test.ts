import { expect, test } from "bun:test";
import { z } from "zod/mini";
import { parsedBy, readVariables, refuse } from "../../src/ground/environment.ts";

const VARIABLES = {
  WIDTH: {
    default: "7",
    expected: "a number",
    schema: parsedBy((text, context) => (/^\d+$/.test(text) ? Number(text) : refuse(context))),
  },
  COLOUR: { default: "", expected: "red or none", schema: z.enum(["", "red"]) },
} as const;

test.each<[env: Record<string, string | undefined>, width: number, colour: "" | "red"]>([
  [{}, 7, ""],
  [{ WIDTH: "", COLOUR: undefined }, 7, ""],
  [{ WIDTH: "12", COLOUR: "red", OTHER: "x" }, 12, "red"],
])("readVariables() reads %p and uses defaults for the others", (env, width, colour) => {
  expect(readVariables(VARIABLES, env)).toEqual({
    kind: "values",
    values: { WIDTH: width, COLOUR: colour },
  });
});

test("readVariables() returns the names of all wrong variables, in the order of the table", () => {
  expect(readVariables(VARIABLES, { COLOUR: "blue", WIDTH: "wide" })).toEqual({
    kind: "wrong",
    names: ["WIDTH", "COLOUR"],
  });
  expect(readVariables(VARIABLES, { COLOUR: " red" })).toEqual({
    kind: "wrong",
    names: ["COLOUR"],
  });
});
