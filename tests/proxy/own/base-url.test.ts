/** Base URLs that people often mistype. */
import { describe, expect, test } from "bun:test";
import { baseUrlMistake } from "../../../src/proxy/own/base-url.ts";
import { rawConnect } from "../../support/client/raw-http.ts";
import { startProxyTo } from "../../support/proxy/in-process.ts";
import { fakeBackend } from "../../support/server/scripted.ts";

const SLASHES = "two slashes in a row";
const TWICE = "the base URL ends in /v1 already";
const LACKS = "the base URL lacks /v1";

const MISTAKES: readonly (readonly [path: string, says: string])[] = [
  ["//v1/chat/completions", SLASHES],
  ["//v1", SLASHES],
  ["///v1/models", SLASHES],
  ["//chat/completions", SLASHES],
  ["/v1//chat/completions", SLASHES],
  ["/v1//", SLASHES],
  ["/v1/v1/chat/completions", TWICE],
  ["/v1/v1/models", TWICE],
  ["/v1/v1/", TWICE],
  ["/v1/v1", TWICE],
  ["/chat/completions", LACKS],
  ["/completions", LACKS],
  ["/embeddings", LACKS],
  ["/messages", LACKS],
  ["/messages/count_tokens", LACKS],
  ["/responses", LACKS],
  ["/responses/resp_1", LACKS],
  ["/models", LACKS],
  ["/models/", LACKS],
  ["/models/org/name", LACKS],
  ["/audio/speech", LACKS],
  ["/images/generations", LACKS],
];

describe("baseUrlMistake()", () => {
  test.each(MISTAKES)("explains the mistake in %s: %s", (path, says) => {
    expect(baseUrlMistake(path)).toContain(says);
  });

  test.each([
    ...["/v1/chat/completions", "/v1", "/v1/", "/v1/models", "/v1/v10/x", "/v1/v1x", "/v1/x//y"],
    ...["/", "/x", "/v2/chat/completions", "/chat", "/modelsx", "/completion", "/x/models", ""],
    ...["/rerank", "/api/chat", "/V1/V1/x", "/status"],
  ])("returns undefined for %j", (path) => {
    expect(baseUrlMistake(path)).toBeUndefined();
  });
});

describe("a mistyped base URL", () => {
  test.each(MISTAKES)(
    "%s gets its error at once, before 1 GiB of body has come",
    async (path, says) => {
      using server = fakeBackend();
      using proxy = startProxyTo(server.origin);
      using client = await rawConnect(proxy.port);
      const more = "Origin: http://page.test\r\nContent-Length: 1073741824";
      client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n\r\n{"model":`);
      await client.waitFor("}}");
      const answer = client.received();
      expect(answer).toStartWith("HTTP/1.1 404 ");
      expect(answer).toContain('"code":"not_found"');
      expect(answer).toContain(says);
      expect(answer.toLowerCase()).toContain("access-control-allow-origin: *");
      expect([server.received, proxy.keptOpen()]).toEqual([[], 0]);
    },
  );

  test("leaves the connection usable for the next request, after the body has come", async () => {
    using proxy = startProxyTo("http://127.0.0.1:9");
    using client = await rawConnect(proxy.port);
    client.send("POST /v1/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    await client.waitFor("}}");
    client.send(`${"x".repeat(100_000)}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.waitFor("ok\n");
  });
});
