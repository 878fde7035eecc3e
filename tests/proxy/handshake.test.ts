import { describe, expect, test } from "bun:test";
import { handshakeRefusal, isHandshake, overHttp } from "../../src/proxy/handshake.ts";
import { errorCodeOf, errorResponse, messageOf } from "../../src/proxy/own/errors.ts";
import { HANDSHAKE } from "../support/client/websocket.ts";

function asked(headers: Readonly<Record<string, string>>, method = "GET"): Request {
  return { method, headers: new Headers(headers) } as Request;
}

const KEY = HANDSHAKE["sec-websocket-key"];

function without(name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(HANDSHAKE).filter(([header]) => header !== name));
}

const REALTIME = { path: "/v1/realtime", query: "" };

describe("isHandshake()", () => {
  test.each<[what: string, request: Request, path: string, is: boolean]>([
    ["a handshake", asked(HANDSHAKE), "/v1/realtime", true],
    [
      "a handshake with other protocols",
      asked({ ...HANDSHAKE, upgrade: "h2c, WebSocket" }),
      "/v1/x",
      true,
    ],
    [
      "a handshake with empty list elements",
      asked({ ...HANDSHAKE, upgrade: ", websocket ,", connection: "keep-alive, Upgrade" }),
      "/v1/x",
      true,
    ],
    ["another upgrade", asked({ ...HANDSHAKE, upgrade: "h2c" }), "/v1/x", false],
    [
      "an Upgrade that only contains the word",
      asked({ ...HANDSHAKE, upgrade: "xwebsocket" }),
      "/v1/x",
      false,
    ],
    [
      "an Upgrade with a version",
      asked({ ...HANDSHAKE, upgrade: "h2c, websocket/13" }),
      "/v1/x",
      false,
    ],
    ["no upgrade", asked(without("upgrade")), "/v1/x", false],
    ["no Connection", asked(without("connection")), "/v1/x", false],
    ["another Connection", asked({ ...HANDSHAKE, connection: "keep-alive" }), "/v1/x", false],
    ["a POST", asked(HANDSHAKE, "POST"), "/v1/realtime", false],
    ["a handshake outside the prefix", asked(HANDSHAKE), "/realtime", false],
    ["a handshake at a path that begins like the prefix", asked(HANDSHAKE), "/v1x/realtime", false],
  ])("of %s", (_what, request, path, is) => {
    expect(isHandshake(request, { path, query: "" })).toBe(is);
  });
});

describe("handshakeRefusal()", () => {
  const codeOf = (headers: Readonly<Record<string, string>>): string | undefined => {
    const refused = handshakeRefusal(asked(headers), REALTIME);
    return refused && errorCodeOf(refused);
  };

  test.each<[what: string, headers: Readonly<Record<string, string>>, code: string | undefined]>([
    ["a handshake", HANDSHAKE, undefined],
    ["a handshake with an empty body", { ...HANDSHAKE, "content-length": "0" }, undefined],
    ["no key", without("sec-websocket-key"), "invalid_handshake"],
    ["a key too short", { ...HANDSHAKE, "sec-websocket-key": "AAAA" }, "invalid_handshake"],
    ["a key too long", { ...HANDSHAKE, "sec-websocket-key": `A${KEY}` }, "invalid_handshake"],
    [
      "a key with extra text",
      { ...HANDSHAKE, "sec-websocket-key": `${KEY}=` },
      "invalid_handshake",
    ],
    [
      "two keys",
      { ...HANDSHAKE, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" },
      "invalid_handshake",
    ],
    ["a body", { ...HANDSHAKE, "content-length": "1" }, "invalid_handshake"],
    ["a chunked body", { ...HANDSHAKE, "transfer-encoding": "chunked" }, "invalid_handshake"],
    ["no version", without("sec-websocket-version"), "upgrade_required"],
    ["another version", { ...HANDSHAKE, "sec-websocket-version": "8" }, "upgrade_required"],
  ])("of %s", (_what, headers, code) => {
    expect(codeOf(headers)).toBe(code);
  });

  test("of another version names the supported one", () => {
    const eight = asked({ ...HANDSHAKE, "sec-websocket-version": "8" });
    const refused = handshakeRefusal(eight, REALTIME);
    expect(refused?.status).toBe(426);
    expect(refused?.headers.get("sec-websocket-version")).toBe("13");
    expect(refused?.headers.get("upgrade")).toBe("websocket");
  });
});

describe("handshakeRefusal() after a front proxy dropped Upgrade", () => {
  test.each<[path: string, message: string]>([
    ["/v1/realtime", "make it pass them on"],
    ["/v1/responses", "make it pass them on; or send POST /v1/responses over HTTP instead"],
  ])("%s", (path, message) => {
    const refused = handshakeRefusal(asked(without("upgrade")), { path, query: "" });
    expect(refused?.status).toBe(426);
    expect(refused && messageOf(refused)).toEndWith(message);
  });

  test.each(["POST", "HEAD"])("is nothing for a %s", (method) => {
    expect(handshakeRefusal(asked(without("upgrade"), method), REALTIME)).toBeUndefined();
  });
});

describe("overHttp()", () => {
  test.each<[code: Parameters<typeof errorResponse>[0], namesModel: boolean, status: number]>([
    ["model_required", false, 426],
    ["invalid_handshake", true, 426],
    ["model_not_found", true, 426],
    ["starting", false, 426],
    ["starting", true, 503],
    ["backend_unavailable", false, 426],
    ["backend_unavailable", true, 503],
    ["backend_draining", false, 503],
    ["backend_saturated", false, 429],
    ["backend_unreachable", false, 502],
    ["upgrade_required", true, 426],
  ])("%s, with a model: %p → %d", (code, namesModel, status) => {
    const refused = errorResponse(code, "Cannot x: y");
    const answer = overHttp(refused, namesModel);
    expect(answer.status).toBe(status);
    if (answer === refused) return;
    expect(errorCodeOf(answer)).toBe("upgrade_required");
    expect(messageOf(answer)).toBe("Cannot x: y; or send POST /v1/responses over HTTP instead");
  });
});
