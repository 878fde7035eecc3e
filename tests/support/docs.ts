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
 *
 * @throws if there is no such table
 */
export function tableOf(text: string, firstHeading: string): readonly (readonly string[])[] {
  const [table] = split(text, firstHeading);
  if (table === undefined) throw new Error(`No table has the first column “${firstHeading}”`);
  return table;
}

/** The rows of all tables whose first column has this heading. */
export function tablesOf(text: string, firstHeading: string): readonly (readonly string[])[] {
  return split(text, firstHeading).flat();
}

function split(text: string, firstHeading: string): readonly (readonly (readonly string[])[])[] {
  const [, ...tables] = text.split(`\n| ${firstHeading} |`);
  return tables.map((table) => {
    const lines = table.split("\n").slice(2);
    const end = lines.findIndex((line) => !line.startsWith("|"));
    return lines.slice(0, end === -1 ? undefined : end).map(cellsOf);
  });
}

function cellsOf(row: string): readonly string[] {
  const cells = row.split("|").slice(1, -1);
  return cells.map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1"));
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
