/**
 * Handshakes without a WebSocket: the server refuses them or gives no valid answer, or the proxy refuses them
 * itself.
 */
import { gzipSync } from "node:zlib";
import { handshakeRequest, switchingProtocols } from "../handshake.ts";
import type { HandshakeCase, Own } from "../handshake-case.ts";
import type { ServerAnswer } from "../handshake-exchange.ts";

const ACCEPTS: ServerAnswer = { bytes: (key) => switchingProtocols(key) };

function refusal(
  name: string,
  status: number,
  answer: string | Uint8Array,
  leave?: "FIN" | "RST",
): HandshakeCase {
  return {
    ...{ name, status, request: handshakeRequest() },
    answer: { bytes: () => answer, ...(leave && { leave }) },
  };
}

const BODY = '{"error":{"message":"told so"}}';

function head(status: number, ...headers: readonly string[]): string {
  return `${[`HTTP/1.1 ${status} As told`, ...headers].join("\r\n")}\r\n\r\n`;
}

function sized(status: number, body: string, ...headers: readonly string[]): string {
  return `${head(status, ...headers, `Content-Length: ${Buffer.byteLength(body)}`)}${body}`;
}

const STATUSES = [200, 301, 400, 401, 403, 404, 405, 426, 429, 500, 501, 502, 503, 504];
const GZIPPED = gzipSync(BODY);
const LONG = "3".repeat(3_000_000);
const JSON_TYPE = "Content-Type: application/json";

const BY_SERVER: readonly HandshakeCase[] = [
  ...STATUSES.map((status) =>
    refusal(
      `${status} with headers and a body`,
      status,
      sized(
        status,
        BODY,
        JSON_TYPE,
        "Retry-After: 7",
        "Location: /else",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "WWW-Authenticate: Bearer",
      ),
    ),
  ),
  refusal("204", 204, head(204, "X-Why: none")),
  refusal("304", 304, head(304, 'ETag: "x"')),
  refusal("403 without a body, as uvicorn sends it", 403, head(403, "Content-Length: 0")),
  refusal(
    "401 in chunks",
    401,
    `${head(401, JSON_TYPE, "Transfer-Encoding: chunked")}5\r\n{"err\r\n6\r\nor":1}\r\n0\r\n\r\n`,
  ),
  refusal(
    "401 in gzip",
    401,
    Buffer.concat([
      Buffer.from(
        head(401, JSON_TYPE, "Content-Encoding: gzip", `Content-Length: ${GZIPPED.length}`),
      ),
      GZIPPED,
    ]),
  ),
  refusal("403 that ends with the connection", 403, `${head(403, JSON_TYPE)}${BODY}`, "FIN"),
  refusal("500 of 3 MB", 500, sized(500, LONG)),
  refusal(
    "500 in chunks, broken off",
    500,
    `${head(500, "Transfer-Encoding: chunked")}5\r\nhello\r\n`,
    "FIN",
  ),
];

const NO_101: NonNullable<HandshakeCase["through"]> = {
  own: { status: 502, code: "backend_unreachable" },
  because: "the client must not treat the answer as a WebSocket",
};

function unusable(name: string, answer: ServerAnswer): HandshakeCase {
  return { ...{ name, answer, status: 101, through: NO_101 }, request: handshakeRequest() };
}

const UNUSABLE: readonly HandshakeCase[] = [
  unusable("a 101 with a wrong accept", { bytes: () => switchingProtocols(undefined) }),
  unusable("a 101 without an accept", {
    bytes: (key) => switchingProtocols(key, [], ["sec-websocket-accept"]),
  }),
  unusable("a 101 without Upgrade", { bytes: (key) => switchingProtocols(key, [], ["upgrade"]) }),
  unusable("a 101 with an extension that the client did not offer", {
    bytes: (key) => switchingProtocols(key, ["Sec-WebSocket-Extensions: permessage-deflate"]),
  }),
  unusable("a 101 with 40 KB of headers", {
    bytes: (key) => switchingProtocols(key, [`X-Long: ${"l".repeat(40_000)}`]),
  }),
  {
    ...unusable("an answer that is not HTTP", {
      bytes: () => "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      leave: "FIN",
    }),
    status: 0,
  },
  { ...unusable("a FIN and no answer", { bytes: () => "", leave: "FIN" }), status: 0 },
  { ...unusable("an RST and no answer", { bytes: () => "", leave: "RST" }), status: 0 },
];

function invalid(name: string, request: string, own: Partial<Own> = {}): HandshakeCase {
  return {
    ...{ name, request, answer: ACCEPTS, status: 101 },
    through: {
      own: { status: 400, code: "invalid_handshake", ...own },
      asked: false,
      because: "the proxy does not send an invalid handshake to a server",
    },
  };
}

const LATER_VERSION = handshakeRequest({ headers: ["Sec-WebSocket-Version: 14"] });
const WRONG_VERSION: Own = {
  ...{ status: 426, code: "upgrade_required" },
  headers: { "sec-websocket-version": "13" },
};

const INVALID: readonly HandshakeCase[] = [
  invalid("no key", handshakeRequest({ without: ["sec-websocket-key"] })),
  invalid(
    "a key that is too short",
    handshakeRequest({ headers: ["Sec-WebSocket-Key: c2hvcnQ="] }),
  ),
  invalid(
    "a key that is not base64",
    handshakeRequest({ headers: ["Sec-WebSocket-Key: ????????????????????????"] }),
  ),
  invalid(
    "two keys",
    handshakeRequest({
      headers: [
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Key: BBBBBBBBBBBBBBBBBBBBBB==",
      ],
    }),
  ),
  invalid("a later version", LATER_VERSION, WRONG_VERSION),
  invalid("no version", handshakeRequest({ without: ["sec-websocket-version"] }), WRONG_VERSION),
  invalid("a body of known length", `${handshakeRequest({ headers: ["Content-Length: 5"] })}hello`),
  invalid(
    "a body in chunks",
    `${handshakeRequest({ headers: ["Transfer-Encoding: chunked"] })}5\r\nhello\r\n0\r\n\r\n`,
  ),
  invalid(
    "no key, on /v1/responses",
    handshakeRequest({ target: "/v1/responses", without: ["sec-websocket-key"] }),
    {
      ...{ status: 426, code: "upgrade_required" },
    },
  ),
];

/**
 * After a 426, Codex switches to HTTP at once. After other statuses it retries for seconds. After 400 it
 * gives up.
 */
const ON_RESPONSES: readonly HandshakeCase[] = STATUSES.map((status) => {
  const isOverHttp = [400, 403, 404, 405, 501].includes(status);
  return {
    ...refusal(`${status} on /v1/responses`, status, sized(status, BODY, JSON_TYPE)),
    request: handshakeRequest({ target: "/v1/responses?model=m" }),
    ...(isOverHttp && {
      through: {
        own: { status: 426, code: "upgrade_required" },
        because: "Codex switches to HTTP at once after a 426, but not after these",
      },
    }),
  };
});

export const REFUSALS: readonly HandshakeCase[] = [
  ...BY_SERVER,
  ...ON_RESPONSES,
  ...UNUSABLE,
  ...INVALID,
];
