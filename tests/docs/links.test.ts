/** Links between the project's Markdown files lead somewhere, and every page is listed. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { anchorsOf, ROOT, readText } from "../support/docs.ts";

const PAGES = [...new Bun.Glob("docs/*.md").scanSync(ROOT)].toSorted();
const FILES = [
  "README.md",
  "src/README.md",
  "tests/bench/README.md",
  ...PAGES,
  ...new Bun.Glob(".github/**/*.md").scanSync({ cwd: ROOT, dot: true }),
];

test.each(FILES)("each link of %s leads to a file, and to a heading in it", (file) => {
  const links = [...readText(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)];
  for (const [link, path = "", anchor] of links) {
    const target = path === "" ? file : join(dirname(file), path);
    expect([link, existsSync(join(ROOT, target))]).toEqual([link, true]);
    if (anchor !== undefined) {
      const anchors = anchorsOf(readText(target));
      expect([link, anchors.includes(anchor)]).toEqual([link, true]);
    }
  }
});

describe.each(["docs/README.md", "README.md"])("%s", (index) => {
  test("names each page of docs/", () => {
    const named = [...readText(index).matchAll(/\]\(([\w./-]+\.md)\)/g)].map(([, path = ""]) =>
      join(dirname(index), path),
    );
    for (const page of PAGES) if (page !== "docs/README.md") expect(named).toContain(page);
  });
});
