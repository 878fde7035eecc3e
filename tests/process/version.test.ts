import { expect, test } from "bun:test";
import { version } from "../../package.json" with { type: "json" };
import { COMMIT, VERSION } from "../../src/process/version.ts";

test("run from sources, the version is that of package.json, and the commit is not known", () => {
  expect([VERSION, COMMIT]).toEqual([version, "unknown"]);
});
