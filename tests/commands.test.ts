import { describe, expect, test } from "bun:test";
import { version } from "../package.json" with { type: "json" };
import { USAGE } from "../src/command-line.ts";
import { runCommand } from "../src/commands.ts";
import { COMMIT, VERSION } from "../src/version.ts";
import { freePort } from "./support/compiled-proxy.ts";
import { containerStatus, statusReply } from "./support/status-reply.ts";

const STATUS = { kind: "status", json: false } as const;
const HEALTHCHECK = { kind: "healthcheck" } as const;

/** Answers `path` with this, and anything else with 404. */
function serve(path: string, answer: () => Response | Promise<Response>): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    fetch: ({ url }) =>
      new URL(url).pathname === path ? answer() : new Response("", { status: 404 }),
  });
}

test("version: that of package.json when run from sources", async () => {
  expect([VERSION, COMMIT]).toEqual([version, "unknown"]);
  expect(await runCommand({ kind: "version" }, undefined)).toEqual({
    code: 0,
    stdout: `lw-inference-proxy ${version} (commit unknown, Bun ${Bun.version})\n`,
  });
});

test("help: on stdout, with the variables; a wrong argument: the usage on stderr, exit code 2", async () => {
  const { code, stdout } = await runCommand({ kind: "help" }, undefined);
  expect([code, stdout?.startsWith(USAGE), stdout?.includes("PROXY_DRAIN_TIMEOUT")]).toEqual([
    0,
    true,
    true,
  ]);
  const wrong = await runCommand({ kind: "wrong", argument: "x" }, 8080);
  expect([wrong.code, wrong.stdout, wrong.stderr?.endsWith(USAGE)]).toEqual([2, undefined, true]);
});

describe("healthcheck", () => {
  test("is 0 when /healthz is 200, and says nothing", async () => {
    using server = serve("/healthz", () => new Response("ok"));
    expect(await runCommand(HEALTHCHECK, server.port)).toEqual({ code: 0 });
  });

  test.each([404, 500, 302])("is 1 when it is %p, and says so", async (status) => {
    using server = serve(
      "/healthz",
      () => new Response("", { status, headers: { location: "/" } }),
    );
    expect(await runCommand(HEALTHCHECK, server.port)).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: the answer of http://127.0.0.1:${server.port}/healthz is ${status}\n`,
    });
  });

  test("is 1 when nobody listens", async () => {
    const port = freePort();
    expect(await runCommand(HEALTHCHECK, port)).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: no proxy answers at http://127.0.0.1:${port}/healthz: connection refused\n`,
    });
  });

  test("is 1 after 3 s when no answer comes: before Docker gives it up", async () => {
    using server = serve("/healthz", () => new Promise(() => undefined));
    const startMs = performance.now();
    const { code, stderr } = await runCommand(HEALTHCHECK, server.port);
    expect([code, stderr]).toEqual([1, expect.stringContaining("nothing came within 3 s")]);
    expect(performance.now() - startMs).toBeWithin(2_900, 4_500);
  });

  test("is 1 when PROXY_PORT is no port", async () => {
    expect(await runCommand(HEALTHCHECK, undefined)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("PROXY_PORT"),
    });
  });
});

describe("status", () => {
  test("is 0 when everything is routed, with a table", async () => {
    using server = serve("/status", () =>
      Response.json(statusReply({ containers: [containerStatus()] })),
    );
    const { code, stdout, stderr } = await runCommand(STATUS, server.port);
    expect([code, stderr]).toEqual([0, undefined]);
    expect(stdout).toMatch(/^lw-inference-proxy 1\.2\.3, up .*\n(.*\n)+vllm-1 +routed +/);
  });

  test("is 1 when something is not, in either form; as JSON it is what the proxy sent", async () => {
    const reply = ` ${JSON.stringify(statusReply({ containers: [containerStatus({ state: "paused" })] }))}\n`;
    using server = serve("/status", () => new Response(reply));
    expect((await runCommand(STATUS, server.port)).code).toBe(1);
    expect(await runCommand({ kind: "status", json: true }, server.port)).toEqual({
      code: 1,
      stdout: reply,
    });
  });

  test("is 2 when nobody listens, and says what to do", async () => {
    const { code, stdout, stderr } = await runCommand(STATUS, freePort());
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain(
      "connection refused. If the proxy listens on another port, set PROXY_PORT",
    );
    expect(stderr).toContain("docker exec <container> lw-inference-proxy status");
  });

  test.each<[what: string, answer: () => Response]>([
    ["a 404", () => new Response("", { status: 404 })],
    ["somebody else's JSON", () => Response.json({ status: "ok" })],
    ["a page", () => new Response("<html>")],
    ["a 500 with a status in it", () => Response.json(statusReply(), { status: 500 })],
  ])("is 2 when the answer is %s", async (_what, answer) => {
    using server = serve("/status", answer);
    const { code, stdout, stderr } = await runCommand({ kind: "status", json: true }, server.port);
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain("is not that of an lw-inference-proxy");
  });

  test("is 2 when PROXY_PORT is no port", async () => {
    expect((await runCommand(STATUS, undefined)).code).toBe(2);
  });
});
