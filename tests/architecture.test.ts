/** src/README.md is the map of the code. These tests keep it complete, correct and short. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const SRC = join(ROOT, "src");
const README = readFileSync(join(SRC, "README.md"), "utf8");
const FILES = [...new Bun.Glob("**").scanSync(SRC)].filter((path) => path !== "README.md");

/** The cells of each row of the table in one section. */
function rowsOf(title: string): readonly (readonly string[])[] {
  const [, section = ""] = README.split(`\n## ${title}\n`);
  const [, , ...rows] = (section.split("\n## ")[0] ?? "")
    .split("\n")
    .filter((line) => line.startsWith("|"));
  return rows.map((row) => row.split("|").slice(1, -1).map(trimmed));
}

function trimmed(text: string): string {
  return text.trim();
}

/** The texts in backticks. */
function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, inner = ""]) => inner);
}

const FOLDER = /^\*\*(\S+\/)\*\*$/;

/** The paths in the map, from src/. The files of src/ itself are rooms of their own. */
function mappedPaths(): readonly string[] {
  const paths = rowsOf("Rooms").flatMap(([room = ""]) => quoted(room));
  let folder: string | undefined;
  for (const [first = "", files = ""] of rowsOf("Files")) {
    if (first !== "") folder = FOLDER.exec(first)?.[1];
    paths.push(...quoted(files).map((name) => `${folder}${name}`));
  }
  return paths;
}

describe("src/README.md", () => {
  test("has at most 150 lines", () => {
    expect(README.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });

  test("maps each file of src/ once, in its folder, and no other file", () => {
    expect(mappedPaths().toSorted()).toEqual(FILES.toSorted());
  });

  test("names only files and folders that exist", () => {
    const named = quoted(README.split("\n## The way of a request\n")[1] ?? "").filter((text) =>
      /^[\w./-]+(?:\.ts|\/)$/.test(text),
    );
    expect(named.length).toBeGreaterThan(20);
    const missing = named.filter((path) => ![SRC, ROOT].some((at) => existsSync(join(at, path))));
    expect(missing).toEqual([]);
  });

  test("lists the same imports as the linter allows", () => {
    expect(importsInTable()).toEqual(importsInLinter());
  });
});

test("each file in src/ begins with a comment about its content", () => {
  const silent = FILES.filter(
    (path) => path.endsWith(".ts") && !readFileSync(join(SRC, path), "utf8").startsWith("/**"),
  );
  expect(silent).toEqual([]);
});

type Imports = Readonly<Record<string, readonly string[]>>;

/** Room → the paths in its cell, sorted. An exception counts as a path: `not routing/table.ts`. */
function importsInTable(): Imports {
  const rows = rowsOf("Rooms").filter(([, , may]) => may !== "everything");
  return Object.fromEntries(
    rows.map(([room = "", , may = ""]) => {
      const paths = may.replaceAll(" except ", ", not ").split(", ").map(trimmed);
      return [room.replaceAll(/[`*]/g, ""), may === "nothing" ? [] : paths.toSorted()];
    }),
  );
}

type Override = {
  readonly includes: readonly string[];
  readonly linter?: { readonly rules?: { readonly style?: Style } };
};
type Style = { readonly noRestrictedImports?: { readonly options: Options } };
type Options = { readonly patterns: readonly { readonly group: readonly string[] }[] };

/** The same, from the import patterns of .biome.jsonc. A subfolder must have the rule of its room. */
function importsInLinter(): Imports {
  const config = Bun.JSONC.parse(readFileSync(join(ROOT, ".biome.jsonc"), "utf8"));
  const imports: Record<string, readonly string[]> = {};
  for (const { includes, linter } of (config as { overrides: readonly Override[] }).overrides) {
    const group = linter?.rules?.style?.noRestrictedImports?.options.patterns[0]?.group;
    if (group === undefined) continue;
    const [, room = ""] = /^src\/([\w-]+(?:\/|\.ts))/.exec(includes[0] ?? "") ?? [];
    const paths = group.slice(1).map(fromPattern).toSorted();
    expect(imports[room] ?? paths).toEqual(paths);
    imports[room] = paths;
  }
  return imports;
}

/** `!../engine/**` → `engine/`; `../routing/table.ts` → `not routing/table.ts`. */
function fromPattern(pattern: string): string {
  const path = pattern.replace(/^!?(?:\.{1,2}\/)+/, "").replace(/\*\*$/, "");
  return pattern.startsWith("!") ? path : `not ${path}`;
}
