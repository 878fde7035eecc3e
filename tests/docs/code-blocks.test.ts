/** Every command and configuration in the documentation was run by a test, or the page says that it was not. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readText } from "../support/docs.ts";

const PAGES = ["README.md", ".github/CONTRIBUTING.md", ...new Bun.Glob("docs/*.md").scanSync(ROOT)];

type Block = {
  readonly page: string;
  readonly first: string;
  readonly before: string;
  readonly after: string;
};

/** Each fenced block with the text from the block or heading before it, and the paragraph after it. */
function blocksOf(page: string): readonly Block[] {
  const parts = readText(page).split(/^```.*$/m);
  return parts.flatMap((code, index) => {
    if (index % 2 === 0) return [];
    const before = parts[index - 1] ?? "";
    const heading = before.search(/^#+ [^\n]*$(?![\s\S]*^#+ )/m);
    const after = (parts[index + 1] ?? "").trim().split("\n\n")[0] ?? "";
    const [first = ""] = code.trim().split("\n");
    return [{ page, first, before: before.slice(Math.max(0, heading)), after }];
  });
}

const BLOCKS = PAGES.flatMap(blocksOf);
/** A picture is no command. */
const TRIED = BLOCKS.filter(({ first }) => !/[─▶]/.test(first));

test.each(TRIED.map((block) => [block.page, block.first, block] as const))(
  "%s: the block %p was run by a test, or is marked as not tried",
  (page, _first, { before, after }) => {
    const [, files] = /<!-- tried by (.+) -->\s*$/.exec(before) ?? [];
    if (files === undefined) {
      expect(`${before}\n${after}`).toMatch(/not(?: be)?\s(?:tried|run)/i);
      return;
    }
    for (const file of files.split(", ")) {
      expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
      expect([file, readText(file).includes(page)]).toEqual([file, true]);
    }
  },
);

test("there are blocks of both kinds", () => {
  expect(TRIED.length).toBeGreaterThan(30);
  expect(BLOCKS.length).toBeGreaterThan(TRIED.length);
});
