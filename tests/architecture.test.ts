import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

const SRC = join(import.meta.dir, "../src");
/** The section with the tables of files. */
const MAP = readFileSync(join(SRC, "README.md"), "utf8").split("\n## ", 2)[1] ?? "";
const MAPPED = [...MAP.matchAll(/`(?:[a-z-]+\/)*([a-z-]+(?:\.d)?\.ts)`/g)].map(
  ([, file = ""]) => file,
);
const FILES = [...new Bun.Glob("**/*.ts").scanSync(SRC)].map((path) => basename(path));

test("the map of src/README.md has every file, and no other", () => {
  expect([...new Set(MAPPED)].toSorted()).toEqual([...new Set(FILES)].toSorted());
});

test("each file of src/ begins with what it holds", () => {
  const silent = [...new Bun.Glob("**/*.ts").scanSync(SRC)].filter(
    (path) => !readFileSync(join(SRC, path), "utf8").startsWith("/**"),
  );
  expect(silent).toEqual([]);
});
