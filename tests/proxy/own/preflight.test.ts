/** The preflights that a browser sends before a request from a page of another origin. */
import { describe, expect, test } from "bun:test";
import { isPreflight, preflightResponse } from "../../../src/proxy/own/preflight.ts";
import { NO_TELEMETRY } from "../../../src/telemetry/telemetry.ts";
import { rawConnect } from "../../support/client/raw-http.ts";
import { type RunningProxy, startProxy } from "../../support/proxy/in-process.ts";
import { makeBackend } from "../../support/server/backends.ts";
import { fakeBackend } from "../../support/server/scripted.ts";

const METHOD = "access-control-request-method";
const HEADERS = "access-control-request-headers";

function preflight(headers: Record<string, string>): Request {
  return new Request("http://a/v1/x", { method: "OPTIONS", headers });
}

function allowed(headers: Record<string, string>): Record<string, string> {
  const { status, headers: answer } = preflightResponse(preflight(headers));
  expect(status).toBe(204);
  return Object.fromEntries(answer);
}

/** The headers of every answer. */
const ALWAYS = {
  "access-control-allow-origin": "*",
  "access-control-max-age": "7200",
  vary: `${METHOD}, ${HEADERS}`,
};

describe("isPreflight()", () => {
  test.each<[method: string, headers: Record<string, string>, is: boolean]>([
    ["OPTIONS", { [METHOD]: "POST" }, true],
    ["OPTIONS", { origin: "http://page.test" }, false],
    ["OPTIONS", {}, false],
    ["POST", { [METHOD]: "POST" }, false],
  ])("for %s with %p returns %p", (method, headers, is) => {
    expect(isPreflight(new Request("http://a/", { method, headers }))).toBe(is);
  });
});

describe("preflightResponse()", () => {
  test("allows the requested method and headers by name", () => {
    const names = "authorization,content-type,x-stainless-os";
    expect(allowed({ [METHOD]: "POST", [HEADERS]: names })).toEqual({
      ...ALWAYS,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": names,
    });
  });

  test("allows no headers if none are requested, and never credentials or private networks", () => {
    const asked = {
      [METHOD]: "DELETE",
      origin: "http://page.test",
      cookie: "a=1",
      "access-control-request-private-network": "true",
    };
    expect(allowed(asked)).toEqual({ ...ALWAYS, "access-control-allow-methods": "DELETE" });
  });

  test.each(["", " ", "GET POST", "GET, POST", "GET;", "GÉT", "G\u0001T", "(GET)"])(
    "allows no method for %j",
    (method) => {
      expect(allowed({ [METHOD]: method })).toEqual(ALWAYS);
    },
  );

  test.each(["", "a: b", "a;b", "é", "a\u007f", "a\u0001b", '"a"', "a/b", "{}"])(
    "allows no headers for %j",
    (names) => {
      expect(allowed({ [METHOD]: "GET", [HEADERS]: names })).toEqual({
        ...ALWAYS,
        "access-control-allow-methods": "GET",
      });
    },
  );
});

/** Sends a preflight over a raw socket, and returns the head of the answer in lower case. */
async function head(proxy: RunningProxy, path: string, ...more: string[]): Promise<string> {
  using client = await rawConnect(proxy.port);
  const lines = [`OPTIONS ${path} HTTP/1.1`, "Host: a", "Origin: http://page.test", ...more];
  client.send(`${lines.join("\r\n")}\r\n\r\n`);
  await client.waitFor("\r\n\r\n");
  return (client.received().split("\r\n\r\n")[0] ?? "").toLowerCase();
}

const POST = "Access-Control-Request-Method: POST";

describe("a preflight", () => {
  test.each([
    ...["/v1/chat/completions", "/v1/models", "/v1/models/m", "/v1/", "/v1", "/v1/x?model=y"],
    ...["/rerank", "/api/chat", "//v1/models", "/v1//x", "/v1/v1/x", "/chat/completions"],
  ])("for %s gets its answer from the proxy, not from a server", async (path) => {
    using server = fakeBackend(() => new Response(null, { status: 403 }));
    using proxy = startProxy({ backends: [makeBackend({ origin: server.origin })] });
    const answer = await head(proxy, path, POST, "Access-Control-Request-Headers: authorization");
    expect(answer).toStartWith("http/1.1 204 ");
    expect(answer).toContain("\r\naccess-control-allow-origin: *\r\n");
    expect(answer).toContain("\r\naccess-control-allow-methods: post\r\n");
    expect(answer).toContain("\r\naccess-control-allow-headers: authorization\r\n");
    expect(answer).not.toContain("credentials");
    expect(server.received).toEqual([]);
  });

  test.each(["/", "/x", "/v2/models", "/api/delete", "/api/chat/", "/v1/../status"])(
    "for %s gets a 404 that allows nothing",
    async (path) => {
      using proxy = startProxy();
      const answer = await head(proxy, path, POST);
      expect(answer).toStartWith("http/1.1 404 ");
      expect(answer).not.toContain("access-control-allow-methods");
    },
  );

  test.each(["/status", "/metrics"])("for %s gets no CORS headers at all", async (path) => {
    using proxy = startProxy({ telemetry: { ...NO_TELEMETRY, scrape: async () => "x" } });
    const answer = await head(proxy, path, POST);
    expect(answer).toStartWith("http/1.1 404 ");
    expect(answer).not.toContain("access-control");
  });

  test("gets its answer while the proxy starts, without servers or room, before its body has come", async () => {
    using proxy = startProxy({ isReady: () => false, hasRoom: () => false });
    const answer = await head(proxy, "/v1/chat/completions", POST, "Content-Length: 1073741824");
    expect(answer).toStartWith("http/1.1 204 ");
  });

  test("with invalid header names, or names that try to inject headers, gets one clean answer", async () => {
    using proxy = startProxy();
    for (const names of ["a\u0085b", "a\u00ff", "x%0d%0aset-cookie: a=1", "a;b"]) {
      const answer = await head(proxy, "/v1/x", POST, `Access-Control-Request-Headers: ${names}`);
      expect(answer).toStartWith("http/1.1 204 ");
      expect(answer).not.toContain("access-control-allow-headers");
      expect(answer).not.toContain("cookie");
    }
    expect(proxy.log.lines).toEqual([]);
  });

  test("may name 1,000 headers", async () => {
    using proxy = startProxy();
    const names = Array.from({ length: 1_000 }, (_, n) => `x-${n}`).join(",");
    const answer = await head(proxy, "/v1/x", POST, `Access-Control-Request-Headers: ${names}`);
    expect(answer).toContain(`access-control-allow-headers: ${names}\r\n`);
  });

  test("does not change the CORS headers that the server sends with the real answer", async () => {
    using server = fakeBackend(
      () => new Response("x", { headers: { "access-control-allow-origin": "http://only.test" } }),
    );
    using proxy = startProxy({ backends: [makeBackend({ origin: server.origin })] });
    const init = { method: "POST", body: '{"model":"m"}', headers: { origin: "http://page.test" } };
    const answer = await fetch(`${proxy.origin}/v1/x`, init);
    expect(answer.headers.get("access-control-allow-origin")).toBe("http://only.test");
    expect(answer.headers.get("access-control-allow-methods")).toBeNull();
  });
});

test("OPTIONS without Access-Control-Request-Method goes to a server", async () => {
  using server = fakeBackend(() => new Response(null, { status: 403 }));
  using proxy = startProxy({ backends: [makeBackend({ origin: server.origin })] });
  expect(await head(proxy, "/v1/chat/completions")).toStartWith("http/1.1 403 ");
  expect(server.received.map(({ method }) => method)).toEqual(["OPTIONS"]);
});
