import { describe, expect, test } from "bun:test";
import { version } from "../../package.json" with { type: "json" };
import { USAGE } from "../../src/cli/arguments.ts";
import { originOf, runCommand } from "../../src/cli/commands.ts";
import type { LoadedPlace } from "../../src/config.ts";
import { COMMIT, VERSION } from "../../src/process/version.ts";
import { freePort } from "../support/proxy/compiled-proxy.ts";
import { containerStatus, statusReply } from "../support/proxy/status-reply.ts";

const STATUS = { kind: "status", json: false } as const;
const HEALTHCHECK = { kind: "healthcheck" } as const;

/** A proxy that listens on all addresses, at this port. */
function at(port: number | undefined): LoadedPlace {
  return { kind: "place", place: { host: undefined, port: port ?? 0 } };
}

const WRONG: LoadedPlace = { kind: "wrong", errors: ["PROXY_PORT is wrong", "PROXY_HOST is, too"] };

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
  expect(await runCommand({ kind: "version" }, WRONG)).toEqual({
    code: 0,
    stdout: `lw-inference-proxy ${version} (commit unknown, Bun ${Bun.version})\n`,
  });
});

test("help: on stdout, with the variables; a wrong argument: the usage on stderr, exit code 2", async () => {
  const { code, stdout } = await runCommand({ kind: "help" }, WRONG);
  expect([code, stdout?.startsWith(USAGE), stdout?.includes("PROXY_DRAIN_TIMEOUT")]).toEqual([
    0,
    true,
    true,
  ]);
  const wrong = await runCommand({ kind: "wrong", argument: "x" }, WRONG);
  expect([wrong.code, wrong.stdout, wrong.stderr?.endsWith(USAGE)]).toEqual([2, undefined, true]);
});

test.each<[host: string | undefined, origin: string]>([
  [undefined, "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["127.0.0.2", "http://127.0.0.2:80"],
  ["::", "http://[::1]:80"],
  ["0:0::0", "http://[::1]:80"],
  ["::1", "http://[::1]:80"],
  ["2001:DB8::1", "http://[2001:db8::1]:80"],
])("originOf() a proxy that listens on %p is %s", (host, origin) => {
  expect(originOf({ host, port: 80 })).toBe(origin);
});

test.each(["127.0.0.2", "0.0.0.0", "::1", "::"])(
  "a proxy that listens on %s is found",
  async (host) => {
    using server = Bun.serve({ port: 0, hostname: host, fetch: () => new Response("ok") });
    const place = { host, port: server.port ?? 0 };
    expect(await runCommand(HEALTHCHECK, { kind: "place", place })).toEqual({ code: 0 });
  },
);

describe("whatever listens there may be hostile", () => {
  const JSON_STATUS = { kind: "status", json: true } as const;

  test("an answer that inflates is refused unread", async () => {
    const body = Bun.gzipSync(new Uint8Array(8 * 1024 * 1024));
    const headers = { "content-encoding": "gzip" };
    using server = Bun.serve({ port: 0, fetch: () => new Response(body, { headers }) });
    for (const command of [HEALTHCHECK, STATUS, JSON_STATUS]) {
      const { code, stderr } = await runCommand(command, at(server.port));
      expect([code, stderr]).toEqual([
        command === HEALTHCHECK ? 1 : 2,
        expect.stringContaining('Content-Encoding "gzip", which was not asked for'),
      ]);
    }
  });

  test("an answer without end is read as far as its limit", async () => {
    const piece = new Uint8Array(1024 * 1024).fill(0x20);
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: (controller) => controller.enqueue(piece) });
    using server = Bun.serve({ port: 0, fetch: () => new Response(endless()) });
    const health = await runCommand(HEALTHCHECK, at(server.port));
    expect([health.code, health.stderr]).toEqual([1, expect.stringContaining("than 64 KiB")]);
    const { code, stderr } = await runCommand(STATUS, at(server.port));
    expect([code, stderr]).toEqual([2, expect.stringContaining("than 64 MiB")]);
  });

  test("what is nested too deep to be written is no status", async () => {
    const deep = `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`;
    const reply = JSON.stringify(statusReply()).replace("{", `{"deep":${deep},`);
    using server = serve("/status", () => new Response(reply));
    const { code, stdout, stderr } = await runCommand(JSON_STATUS, at(server.port));
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain("is not that of an lw-inference-proxy");
  });

  test("many rows and a wide cell make no output much larger than the answer", async () => {
    const { id: _, ...small } = containerStatus({ reason: "", models: [] });
    const row = JSON.stringify({ ...small, name: "" });
    const wide = JSON.stringify({ ...small, name: "x".repeat(1_000_000) });
    const rows = `[${wide},${Array.from({ length: 200_000 }, () => row).join(",")}]`;
    const reply = JSON.stringify(statusReply()).replace('"containers":[]', `"containers":${rows}`);
    using server = serve("/status", () => new Response(reply));
    const { code, stdout = "" } = await runCommand(STATUS, at(server.port));
    expect(code).toBe(0);
    expect(stdout.length).toBeWithin(200_000, 3 * reply.length);
  });
});

describe("healthcheck", () => {
  test("is 0 when /healthz is 200, and says nothing", async () => {
    using server = serve("/healthz", () => new Response("ok"));
    expect(await runCommand(HEALTHCHECK, at(server.port))).toEqual({ code: 0 });
  });

  test.each([404, 500, 302])("is 1 when it is %p, and says so", async (status) => {
    using server = serve(
      "/healthz",
      () => new Response("", { status, headers: { location: "/" } }),
    );
    expect(await runCommand(HEALTHCHECK, at(server.port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: the answer of http://127.0.0.1:${server.port}/healthz is ${status}\n`,
    });
  });

  test("is 1 when nobody listens", async () => {
    const port = freePort();
    expect(await runCommand(HEALTHCHECK, at(port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: no proxy answers at http://127.0.0.1:${port}/healthz: connection refused\n`,
    });
  });

  test("is 1 after 3 s when no answer comes: before Docker gives it up", async () => {
    using server = serve("/healthz", () => new Promise(() => undefined));
    const startMs = performance.now();
    const { code, stderr } = await runCommand(HEALTHCHECK, at(server.port));
    expect([code, stderr]).toEqual([1, expect.stringContaining("nothing came within 3 s")]);
    expect(performance.now() - startMs).toBeWithin(2_900, 4_500);
  });

  test("is 1 when PROXY_PORT or PROXY_HOST is wrong, with a line for each", async () => {
    expect(await runCommand(HEALTHCHECK, WRONG)).toEqual({
      code: 1,
      stderr: "lw-inference-proxy: PROXY_PORT is wrong\nlw-inference-proxy: PROXY_HOST is, too\n",
    });
  });
});

describe("status", () => {
  test("is 0 when everything is routed, with a table", async () => {
    using server = serve("/status", () =>
      Response.json(statusReply({ containers: [containerStatus()] })),
    );
    const { code, stdout, stderr } = await runCommand(STATUS, at(server.port));
    expect([code, stderr]).toEqual([0, undefined]);
    expect(stdout).toMatch(/^lw-inference-proxy 1\.2\.3, up .*\n(.*\n)+vllm-1 +routed +/);
  });

  test("is 1 when something is not, in either form; as JSON it is what the proxy sent, in one line", async () => {
    const reply = ` ${JSON.stringify(statusReply({ containers: [containerStatus({ state: "paused" })] }))}\n`;
    using server = serve("/status", () => new Response(reply));
    expect((await runCommand(STATUS, at(server.port))).code).toBe(1);
    expect(await runCommand({ kind: "status", json: true }, at(server.port))).toEqual({
      code: 1,
      stdout: `${reply.trim()}\n`,
    });
  });

  test("is 2 when nobody listens, and says what to do", async () => {
    const { code, stdout, stderr } = await runCommand(STATUS, at(freePort()));
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain(
      "connection refused. If the proxy listens elsewhere, set PROXY_PORT and PROXY_HOST",
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
    const { code, stdout, stderr } = await runCommand(
      { kind: "status", json: true },
      at(server.port),
    );
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain("is not that of an lw-inference-proxy");
  });

  test("is 2 when PROXY_PORT or PROXY_HOST is wrong", async () => {
    expect((await runCommand(STATUS, WRONG)).code).toBe(2);
  });
});
