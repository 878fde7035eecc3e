import { describe, expect, test } from "bun:test";
import { healthcheck } from "../../src/cli/healthcheck.ts";
import { freePort } from "../support/proxy/compiled.ts";
import { startOnePath } from "../support/server/one-path-server.ts";

/** The origin of a proxy that listens at this port. */
function at(port: number | undefined): string {
  return `http://127.0.0.1:${port}`;
}

describe("healthcheck()", () => {
  test("is 0 and prints nothing when /healthz answers 200", async () => {
    using server = startOnePath("/healthz", () => new Response("ok"));
    expect(await healthcheck(at(server.port))).toEqual({ code: 0 });
  });

  test.each([404, 500, 302])("is 1 and prints the status when it answers %p", async (status) => {
    using server = startOnePath(
      "/healthz",
      () => new Response("", { status, headers: { location: "/" } }),
    );
    expect(await healthcheck(at(server.port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: http://127.0.0.1:${server.port}/healthz answered with status ${status}\n`,
    });
  });

  test("is 1 when no process listens", async () => {
    const port = freePort();
    expect(await healthcheck(at(port))).toEqual({
      code: 1,
      stderr: `lw-inference-proxy: no proxy answers at http://127.0.0.1:${port}/healthz: connection refused\n`,
    });
  });

  test("is 1 after 3 s without an answer, before Docker kills it", async () => {
    using server = startOnePath("/healthz", () => new Promise(() => undefined));
    const startMs = performance.now();
    const { code, stderr } = await healthcheck(at(server.port));
    expect([code, stderr]).toEqual([1, expect.stringContaining("no answer within 3 s")]);
    expect(performance.now() - startMs).toBeWithin(2_900, 4_500);
  });
});
