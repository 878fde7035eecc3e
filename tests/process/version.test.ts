import { expect, test } from "bun:test";
import { version } from "../../package.json" with { type: "json" };
import { COMMIT, VERSION } from "../../src/process/version.ts";

test("from sources, the version comes from package.json and the commit is unknown", () => {
  expect([VERSION, COMMIT]).toEqual([version, "unknown"]);
});
