/**
 * `bun transfer.ts PORT upload|download`: one client, 1 GiB in one direction. Prints, as JSON, the
 * seconds from the first byte of the request to the last byte of the answer. It writes from and reads
 * into the same memory repeatedly, and ignores the content.
 */
import type { Socket } from "bun";
import { DOWNLOAD_PATH, JSON_PATH, LAST_CHUNK, MODEL, padded, TRANSFER_BYTES } from "../answers.ts";
import { openAll, rawRequest } from "./connection.ts";

type Sending = { bytes: Buffer; from: number; left: number };

const MIB = 1024 ** 2;
const DEADLINE_MS = 30_000;
const START = `{"model":"${MODEL}","prompt":"`;
const END = Buffer.from('"}');
const LAST = Buffer.from(LAST_CHUNK);
const PIECE = Buffer.alloc(MIB, "x");

const [port, way] = process.argv.slice(2);
const upload = way === "upload";
const head = upload
  ? rawRequest(JSON_PATH, START, TRANSFER_BYTES)
  : rawRequest(DOWNLOAD_PATH, padded({ model: MODEL }, 200));
const done = Promise.withResolvers<void>();
let received = 0;
let isComplete: (received: number, piece: Buffer) => boolean = () => false;
let complete = false;
let startedMs = 0;

await openAll<Sending>(
  {
    port: Number(port),
    count: 1,
    data: () => ({
      bytes: Buffer.from(head),
      from: 0,
      left: upload ? TRANSFER_BYTES - START.length : 0,
    }),
  },
  {
    drain: send,
    data: (_, bytes) => {
      if (received === 0) isComplete = endOf(bytes.toString("latin1", 0, 4096));
      received += bytes.length;
      complete = isComplete(received, bytes);
      if (complete) done.resolve();
    },
    close: () => done.resolve(),
    error: () => undefined, // shown by the missing bytes
  },
  (socket) => {
    startedMs = performance.now();
    send(socket);
  },
);
const deadline = setTimeout(done.resolve, DEADLINE_MS);
await done.promise;
clearTimeout(deadline);
const seconds = (performance.now() - startedMs) / 1000;
process.stdout.write(JSON.stringify({ seconds, failed: complete ? 0 : 1 }));
process.exit(0);

function send(socket: Socket<Sending>): void {
  const { data } = socket;
  for (;;) {
    const whole = data.bytes.length - data.from;
    const written = Math.max(socket.write(data.bytes, data.from, whole), 0);
    data.from += written;
    if (written < whole || data.left === 0) return;
    data.bytes = nextPiece(data.left);
    data.from = 0;
    data.left -= data.bytes.length;
  }
}

function nextPiece(left: number): Buffer {
  if (left === END.length) return END;
  return PIECE.subarray(0, Math.min(MIB, left - END.length));
}

/** How to recognise the end of the answer, from its start. An answer other than 200 never ends well. */
function endOf(start: string): typeof isComplete {
  const headBytes = start.indexOf("\r\n\r\n") + 4;
  if (!start.startsWith("HTTP/1.1 200 ")) return () => false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(start)?.[1];
  if (length !== undefined) return (bytes) => bytes === headBytes + Number(length);
  return (bytes, piece) => {
    const isLast = bytes > (upload ? 0 : TRANSFER_BYTES);
    return isLast && piece.subarray(-LAST_CHUNK.length).equals(LAST);
  };
}
