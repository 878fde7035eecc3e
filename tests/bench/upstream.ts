/**
 * The server behind every measured proxy: `bun tests/bench/upstream.ts`, a process of its own. It prints its
 * port. It is no HTTP server: it cuts requests out of the bytes of raw sockets and writes prepared answers, so
 * that it costs less than any proxy in front of it.
 *
 * It handles requests one after another on a connection, with a Content-Length or without a body. It echoes the
 * messages of a WebSocket.
 */
import type { Socket } from "bun";
import { ANSWERS, type Answer, modelsAnswer, REALTIME_PATH, switching } from "./answers.ts";
import { echoInPlace } from "./frames.ts";
import { Pacer } from "./pacer.ts";

type Connection = {
  /** Bytes of an incomplete request head. */
  head: Buffer | undefined;
  /** The number of bytes of the body that are still missing. */
  bodyLeft: number;
  /** The answer to send when the body is complete. */
  answer: Answer | undefined;
  /** For a WebSocket: bytes of an incomplete frame. */
  frame: Buffer | undefined;
  /** Bytes that the socket has not taken yet. */
  readonly waiting: { bytes: Buffer; from: number; again: Buffer; times: number };
};

const NOTHING = Buffer.alloc(0);

const pacer = new Pacer();

const server = Bun.listen<Connection>({
  hostname: "0.0.0.0",
  port: 0,
  socket: {
    open: (socket) => {
      socket.data = {
        head: undefined,
        bodyLeft: 0,
        answer: undefined,
        frame: undefined,
        waiting: { bytes: NOTHING, from: 0, again: NOTHING, times: 0 },
      };
    },
    data: take,
    drain: flush,
    close: (socket) => pacer.remove(socket),
    error: () => undefined, // a client that hung up
  },
});
process.stdout.write(`${server.port}\n`);

function take(socket: Socket<Connection>, received: Buffer): void {
  const { data } = socket;
  let bytes = received;
  while (bytes.length > 0) {
    if (data.frame !== undefined) {
      echo(socket, data.frame, bytes);
      return;
    }
    bytes = data.bodyLeft > 0 ? takeBody(data, bytes) : takeHead(data, bytes);
    if (data.bodyLeft > 0 || data.answer === undefined) continue;
    give(socket, data.answer);
    if (data.answer.upgraded) data.frame = NOTHING;
    data.answer = undefined;
  }
}

/** @returns the bytes after it */
function takeBody(data: Connection, bytes: Buffer): Buffer {
  const taken = Math.min(data.bodyLeft, bytes.length);
  data.bodyLeft -= taken;
  return bytes.subarray(taken);
}

function takeHead(data: Connection, received: Buffer): Buffer {
  const bytes = data.head === undefined ? received : Buffer.concat([data.head, received]);
  const end = bytes.indexOf("\r\n\r\n");
  data.head = end === -1 ? Buffer.from(bytes) : undefined;
  if (end === -1) return NOTHING;
  readHead(data, bytes.toString("latin1", 0, end));
  return bytes.subarray(end + 4);
}

function readHead(data: Connection, head: string): void {
  data.bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const path = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/"));
  if (path.startsWith(REALTIME_PATH)) {
    data.answer = switching(head);
    return;
  }
  data.answer = path === "/v1/models" ? modelsAnswer(head) : (ANSWERS[path] ?? ANSWERS["other"]);
}

function give(socket: Socket<Connection>, answer: Answer): void {
  const { waiting } = socket.data;
  waiting.bytes = answer.first;
  waiting.from = 0;
  waiting.again = answer.again ?? NOTHING;
  waiting.times = answer.times;
  flush(socket);
  if (answer.paced !== undefined) pacer.add(socket, answer.paced);
}

/** A socket takes all bytes in flight at once. The load makes sure of that, and counts missing messages. */
function echo(socket: Socket<Connection>, rest: Buffer, received: Buffer): void {
  const bytes = rest.length === 0 ? received : Buffer.concat([rest, received]);
  const { taken, written, closed } = echoInPlace(bytes);
  socket.data.frame = bytes.subarray(taken);
  if (written > 0) socket.write(bytes, 0, written);
  if (closed) socket.end();
}

/** Writes the waiting bytes as long as the socket takes them completely. */
function flush(socket: Socket<Connection>): void {
  const { waiting } = socket.data;
  for (;;) {
    const left = waiting.bytes.length - waiting.from;
    const written = left === 0 ? 0 : Math.max(socket.write(waiting.bytes, waiting.from, left), 0);
    waiting.from += written;
    if (written < left || waiting.times === 0) return;
    waiting.bytes = waiting.again;
    waiting.from = 0;
    waiting.times -= 1;
  }
}
