import { describe, expect, test } from "bun:test";
import { status } from "../../src/cli/status.ts";
import { freePort } from "../support/proxy/compiled.ts";
import { containerStatus, statusReply } from "../support/proxy/status-reply.ts";
import { startOnePath } from "../support/server/one-path-server.ts";

/** The origin of a proxy that listens at this port. */
function at(port: number | undefined): string {
  return `http://127.0.0.1:${port}`;
}

describe("status()", () => {
  test("is 0 when everything is routed, with a table", async () => {
    using server = startOnePath("/status", () =>
      Response.json(statusReply({ containers: [containerStatus()] })),
    );
    const { code, stdout, stderr } = await status(at(server.port), false);
    expect([code, stderr]).toEqual([0, undefined]);
    expect(stdout).toMatch(/^lw-inference-proxy 1\.2\.3, up .*\n(.*\n)+vllm-1 +routed +/);
  });

  test("is 1 when a container is not routed; the JSON form is the reply of the proxy in one line", async () => {
    const reply = ` ${JSON.stringify(statusReply({ containers: [containerStatus({ state: "paused" })] }))}\n`;
    using server = startOnePath("/status", () => new Response(reply));
    expect((await status(at(server.port), false)).code).toBe(1);
    expect(await status(at(server.port), true)).toEqual({
      code: 1,
      stdout: `${reply.trim()}\n`,
    });
  });

  test("is 2 when no process listens, and says what to do", async () => {
    const { code, stdout, stderr } = await status(at(freePort()), false);
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain(
      "connection refused. If the proxy listens on another address, set PROXY_PORT and PROXY_HOST",
    );
    expect(stderr).toContain("docker exec <container> lw-inference-proxy status");
  });

  test.each<[what: string, answer: () => Response]>([
    ["a 404", () => new Response("", { status: 404 })],
    ["JSON of another program", () => Response.json({ status: "ok" })],
    ["a page", () => new Response("<html>")],
    ["a 500 with a status in it", () => Response.json(statusReply(), { status: 500 })],
  ])("is 2 when the answer is %s", async (_what, answer) => {
    using server = startOnePath("/status", answer);
    const { code, stdout, stderr } = await status(at(server.port), true);
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain("is not from an lw-inference-proxy");
  });

  test("is 2 when the reply is nested too deep to be written", async () => {
    const deep = `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`;
    const reply = JSON.stringify(statusReply()).replace("{", `{"deep":${deep},`);
    using server = startOnePath("/status", () => new Response(reply));
    const { code, stdout, stderr } = await status(at(server.port), true);
    expect([code, stdout]).toEqual([2, undefined]);
    expect(stderr).toContain("is not from an lw-inference-proxy");
  });

  test("many rows and one wide cell do not make the output much larger than the reply", async () => {
    const { id: _, ...small } = containerStatus({ reason: "", models: [] });
    const row = JSON.stringify({ ...small, name: "" });
    const wide = JSON.stringify({ ...small, name: "x".repeat(1_000_000) });
    const rows = `[${wide},${Array.from({ length: 200_000 }, () => row).join(",")}]`;
    const reply = JSON.stringify(statusReply()).replace('"containers":[]', `"containers":${rows}`);
    using server = startOnePath("/status", () => new Response(reply));
    const { code, stdout = "" } = await status(at(server.port), false);
    expect(code).toBe(0);
    expect(stdout.length).toBeWithin(200_000, 3 * reply.length);
  });
});
