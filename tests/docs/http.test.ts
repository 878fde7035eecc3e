/** docs/http.md lists what the proxy answers itself. */
import { expect, test } from "bun:test";
import { ERRORS } from "../../src/proxy/own/errors.ts";
import { readText, tableOf } from "../support/docs.ts";

test("docs/http.md has every error code with its status, and no other", () => {
  const codes = Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)]);
  const rows = tableOf(readText("docs/http.md"), "Case").map(([, status, code]) => [code, status]);
  expect(Object.fromEntries(rows as [string, string][])).toEqual(Object.fromEntries(codes));
  expect(rows).toHaveLength(codes.length);
});
