/** docs/servers.md lists ports and health checks that fit each other. */
import { expect, test } from "bun:test";
import { LABELS } from "../../src/sources/labels.ts";
import { readText, tableOf } from "../support/docs.ts";

test("docs/servers.md gives every server a port, and a health check on that port", () => {
  const rows = tableOf(readText("docs/servers.md"), "Server");
  expect(rows.length).toBeGreaterThan(8);
  for (const [server = "", port = "", check = ""] of rows) {
    const number = /\d+/.exec(port)?.[0];
    const isDefault = number === LABELS["inference.port"];
    expect([server, port]).toEqual([server, isDefault ? `${number}, the default` : `"${number}"`]);
    if (!check.startsWith("`ollama list`")) expect(check).toContain(`${number}`);
  }
});
