/** The upstream's answers for each path, as bytes that are made once. */

export type Answer = {
  readonly first: Buffer;
  /** The bytes after `first`, sent this many times: a download repeats one mebibyte. */
  readonly again?: Buffer;
  readonly times: number;
  /** How many events follow at the pacer's pace. */
  readonly paced?: number;
  /** Whether WebSocket frames follow. The upstream echoes them. */
  readonly upgraded?: boolean;
};

export const JSON_PATH = "/v1/chat/completions";
export const PACED_PATH = "/v1/paced";
export const ENDLESS_PATH = "/v1/endless";
export const FLOOD_PATH = "/v1/flood";
export const DOWNLOAD_PATH = "/v1/download";
export const IDLE_PATH = "/v1/idle";
export const REALTIME_PATH = "/v1/realtime";

/** The model of a container at 127.0.0.1. */
export const MODEL = "bench";

export const FLOOD_EVENTS = 200;
export const PACED_EVENTS = 100;
export const PACED_MS = 20;
export const TRANSFER_BYTES = 1024 ** 3;

const JSON_BYTES = 600;
const EVENT_BYTES = 150;
const MIB = 1024 ** 2;

/** RFC 6455 §1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
export const LAST_CHUNK = "0\r\n\r\n";

export const ANSWERS: Readonly<Record<string, Answer>> = {
  [JSON_PATH]: once(json(padded({ id: "chatcmpl-1", model: MODEL }, JSON_BYTES))),
  [FLOOD_PATH]: once(STREAM_HEAD + event(0).repeat(FLOOD_EVENTS) + LAST_CHUNK),
  [PACED_PATH]: { ...once(STREAM_HEAD), paced: PACED_EVENTS },
  [ENDLESS_PATH]: { ...once(STREAM_HEAD), paced: Number.POSITIVE_INFINITY },
  [IDLE_PATH]: once(STREAM_HEAD + event(0)),
  [DOWNLOAD_PATH]: {
    first: Buffer.from(head("application/octet-stream", TRANSFER_BYTES)),
    again: Buffer.alloc(MIB, "x"),
    times: TRANSFER_BYTES / MIB,
  },
  other: once("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
};

/** The handshake of a WebSocket that echoes messages (RFC 6455 §4.2.2). */
export function switching(requestHead: string): Answer {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(requestHead)?.[1] ?? "";
  const accept = new Bun.CryptoHasher("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
  const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
  const text = `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`;
  return { ...once(text), upgraded: true };
}

/** Each address of the loopback range is a container of its own, with a model of its own. */
export function modelsAnswer(requestHead: string): Answer {
  const address = /\r\nhost: *127\.0\.0\.(\d+)/i.exec(requestHead)?.[1] ?? "1";
  const id = address === "1" ? MODEL : `${MODEL}-${address}`;
  return once(json(JSON.stringify({ object: "list", data: [{ id, object: "model" }] })));
}

/**
 * One event as one chunk (RFC 9112 §7.1).
 *
 * @param sentMs the time of sending, ms since the epoch; always with the same number of digits
 */
export function event(sentMs: number): string {
  const data = padded({ sentMs: sentMs.toFixed(3).padStart(17, "0") }, EVENT_BYTES - 8);
  return `${EVENT_BYTES.toString(16)}\r\ndata: ${data}\n\n\r\n`;
}

function json(body: string): string {
  return head("application/json", body.length) + body;
}

function head(type: string, bytes: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${bytes}\r\n\r\n`;
}

function once(text: string): Answer {
  return { first: Buffer.from(text), times: 0 };
}

/** JSON of exactly this many bytes. */
export function padded(fields: Readonly<Record<string, unknown>>, bytes: number): string {
  const bare = JSON.stringify({ ...fields, padding: "" });
  return `${bare.slice(0, -2)}${"x".repeat(bytes - bare.length)}"}`;
}
