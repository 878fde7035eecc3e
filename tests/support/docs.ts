/** Reads the project's Markdown files: their tables, code blocks, sections, links and headings. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** @param path from the top of the repository, such as `docs/http.md` */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/**
 * The rows of the table whose first column has this heading.
 * A cell that is one code span comes without its marks.
 */
export function tableOf(text: string, firstHeading: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading} |`));
  if (start === -1) throw new Error(`There is no table with the first column “${firstHeading}”`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith("|")) break;
    const cells = line.split("|").slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1")));
  }
  return rows;
}

/** The text of each fenced code block in this language, without the fences. */
export function codeBlocks(text: string, language: string): readonly string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"));
  return [...blocks].map(([, block = ""]) => block);
}

/** GitHub's anchor of each heading. */
export function anchorsOf(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The text with spaces in the place of fenced code blocks, so that every offset stays. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, (block) => block.replaceAll(/[^\n]/g, " "));
}
