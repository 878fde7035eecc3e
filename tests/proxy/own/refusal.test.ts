import { describe, expect, test } from "bun:test";
import { refusal, unreadable } from "../../../src/proxy/own/refusal.ts";

/** The rest of a handshake behind a front proxy that does not pass on upgrades, such as nginx by default. */
const STRIPPED = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13" };
const WEBSOCKET = { upgrade: "WebSocket", connection: "upgrade", ...STRIPPED };

type Asked = { readonly method: string; readonly headers: Headers };

function asked(method: string, headers: Record<string, string> = {}): Asked {
  return { method, headers: new Headers(headers) };
}

describe("refusal()", () => {
  test.each<[what: string, request: Asked, path: string, status: number | undefined]>([
    ["CONNECT", asked("CONNECT"), "/v1/x", 405],
    ["TRACE", asked("TRACE"), "/healthz", 405],
    ["a WebSocket", asked("GET", WEBSOCKET), "/v1/realtime", undefined],
    ["a WebSocket for responses", asked("GET", WEBSOCKET), "/v1/responses", undefined],
    ["a WebSocket whose base URL lacks the prefix", asked("GET", WEBSOCKET), "/responses", 426],
    [
      "a WebSocket whose base URL has the prefix twice",
      asked("GET", WEBSOCKET),
      "/v1/v1/responses",
      426,
    ],
    ["the same without the Upgrade header", asked("GET", STRIPPED), "/responses", 426],
    ["a WebSocket with the method TRACE", asked("TRACE", WEBSOCKET), "/v1/responses", 405],
    ["a WebSocket for one response", asked("GET", WEBSOCKET), "/v1/responses/resp_1", undefined],
    [
      "a WebSocket at another path, without the Upgrade header",
      asked("GET", STRIPPED),
      "/v1/realtime",
      undefined,
    ],
    [
      "another upgrade for responses",
      asked("POST", { upgrade: "h2c" }),
      "/v1/responses",
      undefined,
    ],
    ["another upgrade", asked("POST", { upgrade: "h2c" }), "/v1/x", undefined],
    ['a path with a ".." segment', asked("GET"), "/v1/%2e%2e%2fadmin", 400],
    ["anything else", asked("POST"), "/v1/x", undefined],
  ])("for %s", (_what, request, path, status) => {
    expect(refusal(request as Request, { path, query: "" })?.status).toBe(status);
  });
});

describe("unreadable()", () => {
  const body = "x";
  test.each<[what: string, init: RequestInit, status: number | undefined]>([
    ["an encoded body", { body, headers: { "content-encoding": "gzip" } }, 415],
    [
      "a body with the encoding identity",
      { body, headers: { "content-encoding": "Identity" } },
      undefined,
    ],
    ["an encoding without a body", { headers: { "content-encoding": "gzip" } }, undefined],
    ["a plain body", { body }, undefined],
  ])("for %s", (_what, init, status) => {
    const request = new Request("http://a/", { method: "POST", ...init });
    expect(unreadable(request, undefined)?.status).toBe(status);
    expect(unreadable(request, () => true)?.status).toBe(status);
  });

  test("asks for room once, and only for a body that the proxy can read", () => {
    let asks = 0;
    const hasRoom = (): boolean => {
      asks += 1;
      return false;
    };
    const init = { method: "POST", body, headers: { "content-encoding": "gzip" } };
    expect(unreadable(new Request("http://a/", init), hasRoom)?.status).toBe(415);
    expect(asks).toBe(0);
    expect(unreadable(new Request("http://a/"), hasRoom)?.status).toBe(503);
    expect(asks).toBe(1);
  });
});
