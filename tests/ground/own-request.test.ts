import { describe, expect, test } from "bun:test";
import { AnswerRefused, identityBody, ownRequest, readText } from "../../src/ground/own-request.ts";
import { within } from "../support/until.ts";

const { signal } = new AbortController();

describe("ownRequest()", () => {
  test("asks for an answer without encoding and follows no redirect", async () => {
    let asked: Headers | undefined;
    using server = Bun.serve({
      port: 0,
      fetch: ({ headers }) => {
        asked = headers;
        return new Response("", { status: 302, headers: { location: "/elsewhere" } });
      },
    });
    const response = await ownRequest(server.url.href, { signal, headers: { accept: "a/b" } });
    expect(response.status).toBe(302);
    expect(asked?.get("accept-encoding")).toBe("identity");
    expect(asked?.get("accept")).toBe("a/b");
  });

  test("ends when its signal aborts, and throws the reason of the signal", async () => {
    using server = Bun.serve({ port: 0, fetch: () => new Promise(() => undefined) });
    const aborting = new AbortController();
    const asked = ownRequest(server.url.href, { signal: aborting.signal });
    aborting.abort(new Error("no longer wanted"));
    expect(await within("the end", asked.catch(String))).toContain("no longer wanted");
  });
});

describe("readText()", () => {
  test("reads a body in pieces and drops a byte order mark", async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const byte of Buffer.from("\ufeffgrüße")) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    expect(await readText(new Response(body), 100)).toBe("grüße");
    expect(await readText(new Response(null), 100)).toBe("");
  });

  test("accepts a body of the maximum size and refuses one more byte", async () => {
    expect(await readText(new Response("x".repeat(1024)), 1024)).toHaveLength(1024);
    const larger = readText(new Response("x".repeat(1025)), 1024);
    expect(await larger.catch(String)).toContain("the answer is larger than 1 KiB");
  });

  test.each(["gzip", "br", "zstd", "deflate", "identity, gzip"])(
    "refuses %s without decompressing a byte",
    async (encoding) => {
      const gzip = Bun.gzipSync(Buffer.alloc(100 * 1024 * 1024));
      using server = Bun.serve({
        port: 0,
        fetch: () => new Response(gzip, { headers: { "content-encoding": encoding } }),
      });
      const response = await ownRequest(server.url.href, { signal });
      const error = await readText(response, 1024).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AnswerRefused);
      expect(String(error)).toContain(`Content-Encoding "${encoding}"`);
    },
  );

  test("accepts an answer with the encoding identity", async () => {
    const response = new Response("x", { headers: { "content-encoding": "Identity" } });
    expect(await Array.fromAsync(await identityBody(response))).toHaveLength(1);
  });
});
