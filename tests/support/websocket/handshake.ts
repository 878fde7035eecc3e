/** A WebSocket handshake by hand (RFC 6455 §4): the client's request and the server's answer. Pure. */
import { createHash } from "node:crypto";

/** The example key of RFC 6455 §1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

export type HandshakeInit = {
  readonly method?: string;
  readonly target?: string;
  /** Header lines. They replace default lines with the same name. */
  readonly headers?: readonly string[];
  /** Names in lower case. */
  readonly without?: readonly string[];
};

export const TARGET = "/v1/realtime?model=m";

/** A client's request, up to the empty line. */
export function handshakeRequest(init: HandshakeInit = {}): string {
  const { method = "GET", target = TARGET, headers = [], without = [] } = init;
  const usual = [
    "Host: proxy.test",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
  ];
  const replaced = new Set([...headers.map(nameOf), ...without]);
  const kept = usual.filter((line) => !replaced.has(nameOf(line)));
  return `${[`${method} ${target} HTTP/1.1`, ...kept, ...headers].join("\r\n")}\r\n\r\n`;
}

/** A server's 101, up to the empty line. @param key the received key; without it, the accept is wrong */
export function switchingProtocols(
  key: string | undefined,
  headers: readonly string[] = [],
  without: readonly string[] = [],
): string {
  const usual = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(key ?? "another key")}`,
  ].filter((line) => !without.includes(nameOf(line)));
  return `${["HTTP/1.1 101 Switching Protocols", ...usual, ...headers].join("\r\n")}\r\n\r\n`;
}

/** RFC 6455 §4.2.2, 5.4. */
export function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(":")).toLowerCase();
}
