import { describe, expect, test } from "bun:test";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";

/** Returns the bytes that a client gets when the backend sends `answer`. */
async function received(answer: string, request = rawRequest()): Promise<string> {
  using upstream = await rawServer();
  using proxy = startProxyTo(upstream.origin);
  using client = await rawConnect(proxy.port);
  client.send(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const connection = await upstream.request();
  connection.send(answer);
  connection.end();
  await client.waitForClose();
  return client.received().replace(/Date: [^\r]*\r\n/, "");
}

const JSON_BODY = '{"object":"list"}';

describe("answerOf()", () => {
  test("keeps the Content-Length of an answer of known length, and adds no header", async () => {
    const got = await received(
      `HTTP/1.1 200 OK\r\nContent-Length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`,
    );
    expect(got).toBe(`HTTP/1.1 200 OK\r\nContent-Length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`);
  });

  test("keeps Content-Length up to 1 MiB", async () => {
    const body = "x".repeat(1024 * 1024);
    const got = await received(
      `HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(got).toBe(
      `HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });

  test("keeps the Content-Length of an empty answer", async () => {
    const got = await received(
      "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /v1/x\r\n\r\n",
    );
    expect(got).toBe("HTTP/1.1 201 Created\r\nLocation: /v1/x\r\nContent-Length: 0\r\n\r\n");
  });

  test.each([200, 201, 299, 307, 400, 404, 418, 429, 499, 500, 503, 529, 599])(
    "passes on status %d",
    async (status) => {
      expect(
        await received(`HTTP/1.1 ${status} Whatever\r\nContent-Length: 2\r\n\r\nok`),
      ).toStartWith(`HTTP/1.1 ${status} `);
    },
  );

  test.each(["gzip", "br", "zstd"])(
    "passes on a body with encoding %s without decoding it",
    async (encoding) => {
      const bytes = "\x1f\x8b\x08\x00nonsense";
      const got = await received(
        `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`,
      );
      expect(got).toContain(`\r\nContent-Encoding: ${encoding}\r\n`);
      expect(got).toEndWith("nonsense");
    },
  );

  test("passes on several Set-Cookie, empty values and redirects, but no hop-by-hop headers", async () => {
    const got = await received(
      [
        "HTTP/1.1 302 Found",
        "Location: http://elsewhere.test/",
        "Set-Cookie: a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT",
        "Set-Cookie: b=2",
        "Access-Control-Allow-Origin: ",
        "X-Named: here",
        "Connection: X-Named, close",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    );
    const lines = got.split("\r\n").map((line) => line.toLowerCase());
    expect(lines).toContain("location: http://elsewhere.test/");
    expect(lines.filter((line) => line.startsWith("set-cookie: "))).toHaveLength(2);
    expect(lines).toContain("access-control-allow-origin: ");
    expect(lines.some((line) => /^(x-named|keep-alive|proxy-authenticate)/.test(line))).toBe(false);
  });

  test.each([
    [204, ""],
    [304, "Content-Length: 100\r\nETag: x\r\n"],
  ])("passes on status %d with its headers and without a body", async (status, headers) => {
    const got = await received(`HTTP/1.1 ${status} x\r\n${headers}\r\n`);
    expect(got.split("\r\n\r\n")[1]).toBe("");
    if (headers !== "") expect(got.toLowerCase()).toContain("content-length: 100\r\n");
  });

  test("passes on the whole of a body that ends with its connection", async () => {
    const got = await received("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it");
    expect(got).toContain("all of it");
  });

  test("streams a chunked answer that also has a Content-Length", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    connection.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    );
    await client.waitFor("first");
    connection.send("4\r\nlast\r\n0\r\n\r\n");
    await client.waitFor("last");
  });
});
