import { describe, expect, test } from "bun:test";
import { ask } from "../../src/cli/ask.ts";
import { healthcheck } from "../../src/cli/healthcheck.ts";
import { status } from "../../src/cli/status.ts";
import { freePort } from "../support/proxy/compiled.ts";

const LIMITS = { timeoutMs: 100, bytesMax: 1_024 };

test("ask() returns the status and the whole body of the reply", async () => {
  using server = Bun.serve({ port: 0, fetch: () => new Response("no", { status: 404 }) });
  const url = `http://127.0.0.1:${server.port}/x`;
  expect(await ask(url, LIMITS)).toEqual({ kind: "reply", url, status: 404, body: "no" });
});

test("ask() says why there is no reply", async () => {
  const url = `http://127.0.0.1:${freePort()}/`;
  expect(await ask(url, LIMITS)).toEqual({
    kind: "none",
    reason: `no proxy answers at ${url}: connection refused`,
    code: "ECONNREFUSED",
  });
  using server = Bun.serve({ port: 0, fetch: () => new Promise<Response>(() => undefined) });
  expect(await ask(`${server.url}`, LIMITS)).toEqual({
    kind: "none",
    reason: `no proxy answers at ${server.url}: no answer within 0.1 s`,
  });
});

describe("the program that listens there may be hostile", () => {
  test("a compressed answer is refused unread", async () => {
    const body = Bun.gzipSync(new Uint8Array(8 * 1024 * 1024));
    const headers = { "content-encoding": "gzip" };
    using server = Bun.serve({ port: 0, fetch: () => new Response(body, { headers }) });
    expect(await ask(`${server.url}`, LIMITS)).toEqual({
      kind: "none",
      reason: expect.stringContaining('Content-Encoding "gzip", which the proxy did not ask for'),
    });
  });

  test("an endless answer is read up to the limit", async () => {
    const piece = new Uint8Array(1024 * 1024).fill(0x20);
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: (controller) => controller.enqueue(piece) });
    using server = Bun.serve({ port: 0, fetch: () => new Response(endless()) });
    const health = await healthcheck(server.url.origin);
    expect([health.code, health.stderr]).toEqual([1, expect.stringContaining("than 64 KiB")]);
    const { code, stderr } = await status(server.url.origin, false);
    expect([code, stderr]).toEqual([2, expect.stringContaining("than 64 MiB")]);
  });
});
