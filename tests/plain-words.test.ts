/** Phrases that made texts hard to read stay out of the documentation, and out of comments and messages in src. */
import { expect, test } from "bun:test";
import { ROOT, readText } from "./support/docs.ts";

/** Each came back again and again in the old texts. .github/CONTRIBUTING.md says how we write. */
const HARD =
  /\bbut for\b|\banew\b|\bas ever\b|\bby turns\b|\b[Ww]ho(?:so)?ever\b|\b(?:tells|told|says) of\b|\bsuch a one\b|\btaken out\b|\bhas it routed\b|\bthere is no telling\b/g;

const FILES = [
  "README.md",
  ...new Bun.Glob("docs/*.md").scanSync(ROOT),
  ...new Bun.Glob(".github/**/*.md").scanSync({ cwd: ROOT, dot: true }),
  ...new Bun.Glob("src/**/*.{ts,html,md}").scanSync(ROOT),
];

test("no text has a phrase that we know as hard to read", () => {
  expect(FILES.length).toBeGreaterThan(200);
  const found = FILES.flatMap((file) =>
    readText(file)
      .split("\n")
      .flatMap((line, index) => {
        const [phrase] = line.match(HARD) ?? [];
        return phrase === undefined ? [] : [`${file}:${index + 1}: ${phrase}`];
      }),
  );
  expect(found).toEqual([]);
});
