import { describe, expect, test } from "bun:test";
import { healthcheck } from "../../src/cli/healthcheck.ts";
import { freePort } from "../support/proxy/compiled.ts";
import { startOnePath } from "../support/server/one-path-server.ts";

/** The origin of a proxy that listens at this port. */
function at(port: number | undefined): string {
  return `http://127.0.0.1:${port}`;
}

describe("healthcheck()", () => {
  test("is 0 when /healthz is 200, and says nothing", async () => {
    using server = startOnePath("/healthz", () => new Response("ok"));
    expect(await healthcheck(at(server.port))).toEqual({ code: 0 });
  });

  test.each([404, 500, 302])("is 1 when it is %p, and says so", async (status) => {
    using server = startOnePath(
      "/healthz",
      () => new Response("", { status, headers: { location: "/" } }),
    );
    expect(await healthcheck(at(server.port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: the answer of http://127.0.0.1:${server.port}/healthz is ${status}\n`,
    });
  });

  test("is 1 when nobody listens", async () => {
    const port = freePort();
    expect(await healthcheck(at(port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: no proxy answers at http://127.0.0.1:${port}/healthz: connection refused\n`,
    });
  });

  test("is 1 after 3 s when no answer comes: before Docker gives it up", async () => {
    using server = startOnePath("/healthz", () => new Promise(() => undefined));
    const startMs = performance.now();
    const { code, stderr } = await healthcheck(at(server.port));
    expect([code, stderr]).toEqual([1, expect.stringContaining("nothing came within 3 s")]);
    expect(performance.now() - startMs).toBeWithin(2_900, 4_500);
  });
});
