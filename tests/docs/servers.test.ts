/** docs/servers.md lists ports and health checks that fit each other. The health checks are run. */
import { expect, test } from "bun:test";
import { LABELS } from "../../src/sources/labels.ts";
import { codeBlocks, readText, tableOf } from "../support/docs.ts";

const DOCS = readText("docs/servers.md");

test("docs/servers.md gives every server a port, and a health check on that port", () => {
  const rows = tableOf(DOCS, "Server");
  expect(rows.length).toBeGreaterThan(8);
  for (const [server = "", port = "", check = ""] of rows) {
    const number = /\d+/.exec(port)?.[0];
    const isDefault = number === LABELS["inference.port"];
    expect([server, port]).toEqual([server, isDefault ? `${number}, the default` : `"${number}"`]);
    if (check !== "ollama list") expect(check).toContain(`${number}`);
  }
});

type Compose = { readonly healthcheck: { readonly test: readonly string[] } };

/** The arguments of each health check that this machine can run. */
function healthChecks(): readonly (readonly string[])[] {
  const inTable = tableOf(DOCS, "Server").map(([, , check = ""]) => ["sh", "-c", check]);
  const { healthcheck } = Bun.YAML.parse(codeBlocks(DOCS, "yaml")[0] ?? "") as Compose;
  const [, ...inCompose] = healthcheck.test; // after CMD
  return [...inTable, inCompose].filter((check) => {
    const program = /\b(?:curl|python3|ollama)\b/.exec(check.join(" "))?.[0] ?? "none";
    return program !== "ollama" && Bun.which(program) !== null;
  });
}

test.each(healthChecks().map((check) => [check.join(" "), check] as const))(
  "docs/servers.md: %s passes while the server is healthy, and fails otherwise",
  async (_text, check) => {
    let status = 200;
    using server = Bun.serve({ port: 0, fetch: () => new Response("ok", { status }) });
    const command = check.map((word) => word.replace(/localhost:\d+/, `localhost:${server.port}`));
    const run = (): Promise<number> => Bun.spawn(command, { stdio: ["ignore", null, null] }).exited;
    expect(await run()).toBe(0);
    status = 503;
    expect(await run()).not.toBe(0);
  },
);
