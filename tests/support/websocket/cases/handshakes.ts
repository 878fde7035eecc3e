/**
 * Handshakes that the server accepts: which parts of the request and of the 101 pass the proxy, and which do
 * not.
 */
import { closePayload, OPCODE, unmasked } from "../frames.ts";
import { handshakeRequest, switchingProtocols } from "../handshake.ts";
import type { HandshakeCase } from "../handshake-case.ts";
import type { ServerAnswer } from "../handshake-exchange.ts";

const ACCEPTS: ServerAnswer = { bytes: (key) => switchingProtocols(key) };

function chooses(...headers: readonly string[]): ServerAnswer {
  return { bytes: (key) => switchingProtocols(key, headers) };
}

const OFFERED = "realtime, openai-insecure-api-key.sk-a/b=c+d, openai-beta.realtime-v1";
const OFFER = `Sec-WebSocket-Protocol: ${OFFERED}`;

const PROTOCOLS: readonly HandshakeCase[] = [
  {
    name: "the client offers a subprotocol, and the server chooses it",
    request: handshakeRequest({ headers: [OFFER] }),
    answer: chooses("Sec-WebSocket-Protocol: realtime"),
    status: 101,
  },
  {
    name: "the server chooses the second subprotocol",
    request: handshakeRequest({ headers: ["Sec-WebSocket-Protocol: one,two"] }),
    answer: chooses("Sec-WebSocket-Protocol: two"),
    status: 101,
  },
  {
    name: "the client offers subprotocols, and the server chooses none",
    request: handshakeRequest({ headers: [OFFER] }),
    answer: ACCEPTS,
    status: 101,
  },
  {
    name: "the server chooses a subprotocol that the client did not offer",
    request: handshakeRequest({ headers: ["Sec-WebSocket-Protocol: one"] }),
    answer: chooses("Sec-WebSocket-Protocol: other"),
    status: 101,
  },
  {
    name: "the client offers subprotocols in two lines, with unusual spaces and characters",
    request: handshakeRequest({
      headers: ["Sec-WebSocket-Protocol: a ,  b", 'Sec-WebSocket-Protocol: key.sk-{x}/@"y"'],
    }),
    answer: ACCEPTS,
    status: 101,
  },
];

const HEADERS: readonly HandshakeCase[] = [
  {
    name: "headers of the request",
    request: handshakeRequest({
      headers: [
        "Host: api.example:8443",
        "Authorization: Bearer sk-a/b=c+d",
        "Cookie: a=1; b=2",
        "Origin: https://app.example",
        "OpenAI-Beta: responses_websockets=2026-02-06",
        "X-Client-Request-Id: \xe9 7",
        "User-Agent: test/1.0",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      ],
    }),
    answer: ACCEPTS,
    status: 101,
  },
  {
    name: "hop-by-hop headers of the request",
    request: handshakeRequest({
      headers: [
        "Connection: keep-alive, Upgrade, X-Hop",
        "Keep-Alive: timeout=5",
        "X-Hop: 1",
        "TE: trailers",
        "Proxy-Authorization: Basic eDp5",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
      ],
    }),
    answer: ACCEPTS,
    status: 101,
    through: {
      request: {
        ...{ te: undefined, "x-hop": undefined, "proxy-authorization": undefined },
        "sec-websocket-extensions": undefined,
      },
      because: "RFC 9110 §7.6.1, and each hop has its own extensions (RFC 6455 §9.1)",
    },
  },
  {
    name: "repeated headers, and a length of 0",
    request: handshakeRequest({
      headers: ["Content-Length: 0", "X-Twice: a", "X-Twice: b", "Cookie: a=1", "Cookie: b=2"],
    }),
    answer: ACCEPTS,
    status: 101,
    through: {
      request: { cookie: "a=1; b=2" },
      because: "a request has one line of cookies (RFC 6265 §5.4), and Bun joins two lines",
    },
  },
  {
    name: "X-Forwarded-* and Via of a front proxy",
    request: handshakeRequest({
      headers: [
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Host: api.example",
        "X-Forwarded-Proto: https",
        "Via: 1.1 front",
      ],
    }),
    answer: ACCEPTS,
    status: 101,
    through: {
      request: {
        "x-forwarded-for": "203.0.113.7, 127.0.0.1",
        "x-forwarded-host": "api.example",
        "x-forwarded-proto": "https",
        via: "1.1 front, 1.1 the-proxy",
      },
      because: "as in HTTP: the proxy adds itself, and trusts the front proxy",
    },
  },
  {
    name: "headers of the 101",
    request: handshakeRequest(),
    answer: chooses(
      "Set-Cookie: a=1; Path=/",
      "Set-Cookie: b=2; HttpOnly",
      "X-Codex-Turn-State: \xe9 t",
      "openai-model: m",
      "Server: uvicorn",
    ),
    status: 101,
  },
  {
    name: "hop-by-hop headers of the 101",
    request: handshakeRequest(),
    answer: {
      bytes: (key) =>
        switchingProtocols(
          key,
          ["Connection: Upgrade, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "X-End: 1"],
          ["connection"],
        ),
    },
    status: 101,
    through: { answer: { "x-hop": undefined }, because: "RFC 9110 §7.6.1" },
  },
  {
    name: "`Upgrade: h2c, WebSocket`",
    request: handshakeRequest({ headers: ["Upgrade: h2c, WebSocket"] }),
    answer: ACCEPTS,
    status: 101,
    through: { request: { upgrade: "websocket" }, because: "the proxy asks for a WebSocket" },
  },
  {
    name: "a request with 14 KB of headers",
    request: handshakeRequest({
      headers: [`X-Long: ${"l".repeat(12_000)}`, `X-Longer: ${"m".repeat(2_000)}`],
    }),
    answer: ACCEPTS,
    status: 101,
  },
  {
    name: "a 101 with 17 KB of headers",
    request: handshakeRequest(),
    answer: chooses(`X-Long: ${"l".repeat(17_000)}`),
    status: 101,
  },
];

function target(name: string, path: string, change: Partial<HandshakeCase> = {}): HandshakeCase {
  const request = handshakeRequest({ target: path });
  return { name, request, answer: ACCEPTS, status: 101, ...change };
}

const TARGETS: readonly HandshakeCase[] = [
  target("an unchanged query", "/v1/realtime?model=m&x=%2F%20%e2%82%AC&y=a+b&z=&&model=other"),
  target("an unchanged path", "/v1/a%2Fb/%E2%82%AC;v=1/~x?model=m"),
  target("no model, with only one server", "/v1/realtime?intent=transcription"),
  target("/v1/responses, whose model comes later", "/v1/responses"),
  target("a base path", "/v1/realtime?model=m", {
    basePath: "/api/v3",
    through: {
      start: "GET /api/v3/realtime?model=m HTTP/1.1",
      because: "the base path replaces /v1",
    },
  }),
  target("no base path", "/v1/realtime?model=m", {
    basePath: "",
    through: { start: "GET /realtime?model=m HTTP/1.1", because: "the base path replaces /v1" },
  }),
];

const TEXT = unmasked({ opcode: OPCODE.text, payload: "first" });
const CLOSE = unmasked({ opcode: OPCODE.close, payload: closePayload(1000, "bye") });

const AT_ONCE: readonly HandshakeCase[] = [
  {
    name: "a 101, two messages and Close in one segment",
    request: handshakeRequest(),
    answer: {
      bytes: (key) => Buffer.concat([Buffer.from(switchingProtocols(key)), TEXT, TEXT, CLOSE]),
      leave: "FIN",
    },
    frames: 3,
    status: 101,
  },
];

/** Upgrade requests that the proxy does not treat as handshakes. RFC 9110 §7.8 allows to ignore Upgrade. */
const IGNORED: readonly HandshakeCase[] = [
  {
    name: "a POST with Upgrade is a POST",
    request: `${handshakeRequest({ method: "POST", target: "/v1/chat/completions", headers: ["Content-Length: 13", "Accept: */*", "User-Agent: test/1.0"] })}{"model":"m"}`,
    answer: { bytes: () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
    status: 200,
    through: {
      request: { upgrade: undefined, "sec-websocket-key": "the client's" },
      because: "Upgrade is a hop-by-hop header, and the server answers the POST",
    },
  },
  {
    name: "the model list",
    request: handshakeRequest({ target: "/v1/models" }),
    answer: ACCEPTS,
    status: 101,
    through: {
      own: { status: 200, code: "" },
      asked: false,
      because: "the proxy answers this itself",
    },
  },
];

export const HANDSHAKES: readonly HandshakeCase[] = [
  ...PROTOCOLS,
  ...HEADERS,
  ...TARGETS,
  ...AT_ONCE,
  ...IGNORED,
];
