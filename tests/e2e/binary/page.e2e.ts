/** The binary contains the page at `GET /`. For its behaviour in a browser see tests/page. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startCompiled } from "../../support/proxy/compiled.ts";

const PAGE = readFileSync(
  fileURLToPath(import.meta.resolve("../../../src/proxy/own/page.html")),
  "utf8",
);

test("a browser gets the page unchanged, and other clients get a 404", async () => {
  await using proxy = await startCompiled({ env: { DOCKER_HOST: "unix:///nobody" } });
  const page = await fetch(`${proxy.origin}/`, { headers: { accept: "text/html" } });
  expect(page.status).toBe(200);
  expect(await page.text()).toBe(PAGE);
  expect(page.headers.get("content-security-policy")).toStartWith(
    "default-src 'none'; script-src 'sha256-",
  );
  const other = await fetch(`${proxy.origin}/`);
  expect([other.status, other.headers.get("content-type")]).toEqual([404, "application/json"]);
});
