import { describe, expect, test } from "bun:test";
import { dirname } from "node:path";
import { scripts } from "../../package.json" with { type: "json" };
import { FOLDERS, filesIn, ROOT, SLOW_FOLDERS } from "./end-to-end.ts";

const RUN: readonly string[] = [...Object.values(FOLDERS), ...Object.values(SLOW_FOLDERS)];

test("every end-to-end test is in a folder that a script runs", () => {
  const files = [...new Bun.Glob("tests/**/*.e2e.ts").scanSync(ROOT)];
  expect(files.filter((file) => !RUN.includes(dirname(file)))).toEqual([]);
});

test.each(RUN)("filesIn() finds the test files of %s", (folder) => {
  expect(filesIn(folder).length).toBeGreaterThan(0);
});

test("filesIn() throws for a folder without test files: Bun would run the unit tests", () => {
  expect(() => filesIn("tests/e2e")).toThrow("Cannot find a test file in tests/e2e");
});

describe("the scripts of package.json", () => {
  test.each(Object.entries(SLOW_FOLDERS))("test:%s runs all of %s", (name, folder) => {
    expect(scripts).toHaveProperty(
      [`test:${name}`],
      expect.stringContaining(` ./${folder}/*.e2e.ts`),
    );
  });
});
