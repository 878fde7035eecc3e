/**
 * WebSockets of a load program, on raw sockets. It is no WebSocket client: it makes a message once and sends it
 * many times, with the time in it. From an echo it reads only that time.
 */
import type { Socket } from "bun";
import { MODEL, padded, REALTIME_PATH } from "../answers.ts";
import { CLOSE, clientFrame, eachFrame, TEXT } from "../frames.ts";
import { openAll } from "./connection.ts";

type Client = {
  /** The bytes of an incomplete answer or frame. */
  rest: Buffer;
  isOpen: boolean;
  /** Whether the other side has sent a Close frame. */
  isClosing: boolean;
};

export type WebSocketClient = Socket<Client>;

export type Handler = {
  readonly opened: (client: WebSocketClient) => void;
  /** @param count the number of messages that came back at once */
  readonly echoed: (client: WebSocketClient, count: number) => void;
  /** @param isClean whether a Close frame came first */
  readonly closed: (client: WebSocketClient, isClean: boolean) => void;
};

/** The most messages in one write: far less than a socket takes at once. */
const WINDOW = 16;

const MESSAGE_BYTES = 300;
const STAMP_START = '{"sentMs":"';
const STAMP_DIGITS = 17;
const FRAME_HEAD_BYTES = 8;

const HANDSHAKE = [
  `GET ${REALTIME_PATH}?model=${MODEL} HTTP/1.1`,
  "Host: bench",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");
const MESSAGE = clientFrame(
  TEXT,
  Buffer.from(padded({ sentMs: "0".repeat(STAMP_DIGITS) }, MESSAGE_BYTES)),
);
const MESSAGES = Buffer.concat(Array.from({ length: WINDOW }, () => MESSAGE));
const GOODBYE = clientFrame(CLOSE, Buffer.from([1_000 >> 8, 1_000 & 0xff]));
const SWITCHED = "HTTP/1.1 101 ";
const NOTHING = Buffer.alloc(0);

/** The results of a load program so far. */
export const seen = { sent: 0, failed: 0, delaysMs: [] as number[] };

export function openClients(port: number, count: number, handler: Handler): Promise<void> {
  return openAll<Client>(
    { port, count, data: () => ({ rest: NOTHING, isOpen: false, isClosing: false }) },
    {
      data: (client, bytes) => take(client, bytes, handler),
      close: (client) => handler.closed(client, client.data.isClosing),
      error: () => undefined, // seen by `closed`
    },
    (client) => void client.write(HANDSHAKE),
  );
}

/** @param count at most `WINDOW` */
export function sendMessages(client: WebSocketClient, count: number): void {
  const now = performance.now().toFixed(3).padStart(STAMP_DIGITS, "0");
  for (let n = 0; n < count; n += 1) {
    MESSAGES.write(now, n * MESSAGE.length + FRAME_HEAD_BYTES + STAMP_START.length, "latin1");
  }
  const bytes = count * MESSAGE.length;
  seen.sent += count;
  if (client.write(MESSAGES, 0, bytes) !== bytes) seen.failed += count;
}

export function sayGoodbye(client: WebSocketClient): void {
  client.write(GOODBYE);
}

/** One line of JSON with all results. */
export function figures(seconds: number): string {
  const { sent, failed, delaysMs } = seen;
  const count = delaysMs.length;
  const sorted = Float64Array.from(delaysMs).sort();
  const at = (share: number): number =>
    (sorted[Math.floor((count - 1) * share)] ?? Number.NaN) * 1000;
  return JSON.stringify({
    echoes: count,
    seconds,
    failed: failed + sent - count,
    p50Us: at(0.5),
    p99Us: at(0.99),
  });
}

function take(client: WebSocketClient, received: Buffer, handler: Handler): void {
  const { data } = client;
  let bytes = data.rest.length === 0 ? received : Buffer.concat([data.rest, received]);
  data.rest = bytes;
  if (!data.isOpen) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end === -1) return;
    data.isOpen = true;
    if (bytes.toString("latin1", 0, SWITCHED.length) !== SWITCHED) seen.failed += 1;
    bytes = bytes.subarray(end + 4);
    handler.opened(client);
  }
  const echoes = readEchoes(data, bytes);
  if (echoes > 0) handler.echoed(client, echoes);
}

function readEchoes(data: Client, bytes: Buffer): number {
  const nowMs = performance.now();
  let echoes = 0;
  const taken = eachFrame(bytes, (opcode, start, end) => {
    if (opcode === CLOSE) data.isClosing = true;
    if (opcode !== TEXT) return;
    if (end - start !== MESSAGE_BYTES) seen.failed += 1;
    const stamp = start + STAMP_START.length;
    seen.delaysMs.push(nowMs - Number(bytes.toString("latin1", stamp, stamp + STAMP_DIGITS)));
    echoes += 1;
  });
  data.rest = bytes.subarray(taken);
  return echoes;
}
