import { describe, expect, test } from "bun:test";
import type { ErrorCode } from "../../src/proxy/own/errors.ts";
import { freePort, rawConnect, rawExchange } from "../support/client/raw-http.ts";
import { rawRequest, startProxy, startProxyTo } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";

type ErrorBody = {
  readonly type: string;
  readonly error: { readonly code: string; readonly message: string };
};

const CHAT = "/v1/chat/completions";

/** The proxy with a backend for `m`, a draining backend for `draining`, and a third one. */
function startBusyProxy(origin: string, isReady = true) {
  const proxy = startProxyTo(origin, { isReady: () => isReady, keptBytesMax: 10_000 });
  const draining = makeBackend({ models: [{ id: "draining" }] });
  proxy.table.admit(makeBackend({ origin, models: [{ id: "other" }] })); // so that there is no only server
  proxy.table.admit(draining);
  proxy.table.drain(draining);
  return proxy;
}

const post = (body: string, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers,
});

describe("createHandler() refuses", () => {
  test.each<
    [what: string, answer: [status: number, code: ErrorCode], path: string, init: RequestInit]
  >([
    ["a body that is an array", [400, "invalid_json"], CHAT, post("[]")],
    ["a body that is not JSON", [400, "invalid_json"], CHAT, post("model=m")],
    ["a body that breaks off before its model", [400, "invalid_json"], CHAT, post('{"model":"m')],
    ["no body", [400, "model_required"], CHAT, { method: "POST" }],
    ["a GET", [400, "model_required"], CHAT, {}],
    ["a GET of a path that begins like the models", [400, "model_required"], "/v1/modelsx", {}],
    ["a DELETE of a model", [400, "model_required"], "/v1/models/m", { method: "DELETE" }],
    ["an empty body", [400, "model_required"], CHAT, post("")],
    ["a body without model", [400, "model_required"], CHAT, post('{"a":{"model":"m"}}')],
    ["a model that is not a string", [400, "model_required"], CHAT, post('{"model":["m"]}')],
    ["a model that is empty", [400, "model_required"], CHAT, post('{"model":""}')],
    ["a path with ..", [400, "invalid_path"], "/v1/..%2Fadmin", post('{"model":"m"}')],
    ["a path with .. that is encoded twice", [400, "invalid_path"], "/v1/%252e%252e/x", {}],
    ["an unknown model", [404, "model_not_found"], CHAT, post('{"model":"x"}')],
    ["a GET of an unknown model", [404, "model_not_found"], "/v1/models/x/y", {}],
    ["a GET of a model without a name", [404, "model_not_found"], "/v1/models//", {}],
    ["a draining model", [503, "backend_draining"], CHAT, post('{"model":"draining"}')],
    ["a GET of a draining model", [503, "backend_draining"], "/v1/models/draining", {}],
    [
      "a body with gzip",
      [415, "unsupported_encoding"],
      CHAT,
      post('{"model":"m"}', { "content-encoding": "gzip" }),
    ],
    [
      "a body with two encodings",
      [415, "unsupported_encoding"],
      CHAT,
      post('{"model":"m"}', { "content-encoding": "identity, br" }),
    ],
    ["/", [404, "not_found"], "/", {}],
    ["a POST to /v1", [404, "not_found"], "/v1", post('{"model":"m"}')],
    ["a path with /v1/ in its query", [404, "not_found"], "/x?x=/v1/", {}],
    ["/v2/models", [404, "not_found"], "/v2/models", {}],
    ["/V1/models", [404, "not_found"], "/V1/models", {}],
    ["/healthz/x", [404, "not_found"], "/healthz/x", {}],
    ["a POST outside the prefix", [404, "not_found"], "/chat/completions", post('{"model":"m"}')],
  ])("%s: %p", async (_what, [status, code], path, init) => {
    using upstream = fakeBackend();
    using proxy = startBusyProxy(upstream.origin);
    const answer = await fetch(`${proxy.origin}${path}`, init);
    const body = (await answer.json()) as ErrorBody;
    expect([answer.status, body.type, body.error.code]).toEqual([status, "error", code]);
    expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
    expect(upstream.received).toEqual([]);
    expect([proxy.backend.inFlight, proxy.keptOpen()]).toEqual([0, 0]);
    expect(proxy.log.lines).toEqual([]);
  });

  test.each<[what: string, code: ErrorCode, status: number, request: string]>([
    ["CONNECT", "method_not_allowed", 405, "CONNECT example.com:443 HTTP/1.1\r\nHost: a"],
    ["CONNECT of a path", "method_not_allowed", 405, "CONNECT /v1/x HTTP/1.1\r\nHost: a"],
    ["TRACE", "method_not_allowed", 405, "TRACE /v1/models HTTP/1.1\r\nHost: a"],
    ["TRACE outside the prefix", "method_not_allowed", 405, "TRACE /x HTTP/1.1\r\nHost: a"],
    [
      "a WebSocket without a key",
      "invalid_handshake",
      400,
      "GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n" +
        "Sec-WebSocket-Version: 13",
    ],
    [
      "a WebSocket for responses",
      "upgrade_required",
      426,
      "GET /v1/responses?model=nobodys HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    ["a double slash at the start", "not_found", 404, "GET //v1/models HTTP/1.1\r\nHost: a"],
    ["a bad Host outside the prefix", "not_found", 404, "GET /x HTTP/1.1\r\nHost: a b"],
  ])("%s: %s, %d", async (_what, code, status, request) => {
    using upstream = fakeBackend();
    using proxy = startBusyProxy(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(`${request}\r\n\r\n`);
    await client.waitFor("}}");
    expect(client.received()).toStartWith(`HTTP/1.1 ${status} `);
    expect(client.received()).toContain(`"code":"${code}"`);
    expect(upstream.received).toEqual([]);
  });

  test.each<[what: string, path: string, init: RequestInit]>([
    ["a request", CHAT, post('{"model":"x"}')],
    ["a GET of its object", "/v1/models/x", {}],
  ])("%s for an unknown model while the proxy starts: starting, 503", async (_what, path, init) => {
    using proxy = startBusyProxy("http://127.0.0.1:9", false);
    const answer = await fetch(`${proxy.origin}${path}`, init);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(((await answer.json()) as ErrorBody).error.code).toBe("starting");
  });

  test("too many bytes before the model: model_search_limit, 413, before the body ends", async () => {
    using upstream = fakeBackend();
    using proxy = startBusyProxy(upstream.origin);
    using client = await rawConnect(proxy.port);
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n`;
    client.send(`${head}{"messages":"${"x".repeat(20_000)}`);
    await client.waitFor("}}");
    expect(client.received()).toStartWith("HTTP/1.1 413 ");
    expect(client.received()).toContain('"code":"model_search_limit"');
    expect(upstream.received).toEqual([]);
    expect(proxy.keptOpen()).toBe(0);
  });

  test("no request with Content-Encoding identity or an upgrade to HTTP/2", async () => {
    using upstream = fakeBackend();
    using proxy = startBusyProxy(upstream.origin);
    const headers = ["Content-Encoding: Identity", "Connection: Upgrade, close", "Upgrade: h2c"];
    const answer = await rawExchange(proxy.port, rawRequest(undefined, headers));
    expect(answer).toStartWith("HTTP/1.1 200 ");
    expect(upstream.received[0]?.headers.has("upgrade")).toBe(false);
  });

  test("no request of a known model while the proxy starts", async () => {
    using upstream = fakeBackend();
    using proxy = startBusyProxy(upstream.origin, false);
    const answer = await fetch(`${proxy.origin}${CHAT}`, post('{"model":"m"}'));
    expect(await answer.text()).toBe("answer");
  });

  test("a request to an unreachable backend without naming its address", async () => {
    const port = await freePort();
    using proxy = startBusyProxy(`http://127.0.0.1:${port}`);
    const answer = await fetch(`${proxy.origin}${CHAT}`, post('{"model":"m"}'));
    const text = await answer.text();
    expect(answer.status).toBe(502);
    expect(JSON.parse(text).error.code).toBe("backend_unreachable" satisfies ErrorCode);
    expect(text).not.toMatch(/127\.0\.0\.1|vllm-1/);
    expect(text).not.toContain(String(port));
  });

  test("and keeps no connection open for a client that has not sent its model, or hangs up first", async () => {
    // Once a silent client kept its connection open forever, and so did a client with an unreadable body.
    using proxy = startProxy();
    using client = await rawConnect(proxy.port);
    client.send(`POST ${CHAT} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"a":`);
    await Bun.sleep(50); // proves that the proxy does not keep the connection open
    expect(proxy.keptOpen()).toBe(0);
    client.reset();
    await Bun.sleep(50); // nor afterwards
    expect(proxy.keptOpen()).toBe(0);
    expect(proxy.log.lines).toEqual([]);
  });
});
