import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

const SRC = join(import.meta.dir, "../src");
/** The section with the file tables. */
const MAP = readFileSync(join(SRC, "README.md"), "utf8").split("\n## ", 2)[1] ?? "";
const MAPPED = [...MAP.matchAll(/`(?:[a-z-]+\/)*([a-z-]+(?:\.d)?\.ts)`/g)].map(
  ([, file = ""]) => file,
);
const FILES = [...new Bun.Glob("**/*.ts").scanSync(SRC)].map((path) => basename(path));

test("the map of src/README.md lists every file and no other", () => {
  expect([...new Set(MAPPED)].toSorted()).toEqual([...new Set(FILES)].toSorted());
});

test("each file in src/ begins with a comment about its content", () => {
  const silent = [...new Bun.Glob("**/*.ts").scanSync(SRC)].filter(
    (path) => !readFileSync(join(SRC, path), "utf8").startsWith("/**"),
  );
  expect(silent).toEqual([]);
});
