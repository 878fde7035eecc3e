/** docs/http.md lists what the proxy answers itself, and where requests go. */
import { expect, test } from "bun:test";
import { UNPREFIXED_PATHS } from "../../src/ground/paths.ts";
import { ERRORS, errorResponse } from "../../src/proxy/own/errors.ts";
import { codeBlocks, readText, tableOf } from "../support/docs.ts";

const DOCS = readText("docs/http.md");

test("docs/http.md has every error code with its status, and no other", () => {
  const codes = Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)]);
  const rows = tableOf(DOCS, "Case").map(([, status, code]) => [code, status]);
  expect(Object.fromEntries(rows as [string, string][])).toEqual(Object.fromEntries(codes));
  expect(rows).toHaveLength(codes.length);
});

test("docs/http.md says what to do about every error", () => {
  for (const row of tableOf(DOCS, "Case"))
    expect(row.filter((cell) => cell !== "")).toHaveLength(4);
});

test("docs/http.md shows an error body as the proxy writes it", async () => {
  const [shown] = codeBlocks(DOCS, "json");
  expect(shown).toBe(`${await errorResponse("model_not_found", "…").text()}\n`);
});

test("docs/http.md names every inference path outside the public prefix", () => {
  for (const path of UNPREFIXED_PATHS) expect(DOCS).toContain(`\`${path}\``);
});
