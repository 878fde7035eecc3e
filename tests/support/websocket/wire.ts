/**
 * WebSockets on bare sockets, for tests with many WebSockets or gigabytes (RFC 6455). It passes payloads on
 * at once, and keeps none. Tests that need more write their own server and client.
 */
import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { within } from "../until.ts";
import { CLOSE, FrameReader, frame } from "./wire-frames.ts";

const SWITCHING = "HTTP/1.1 101 ";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export type Listener = {
  /** A piece of a text or binary message's payload, unmasked. It is valid only during this call. */
  readonly piece?: (socket: WireSocket, bytes: Buffer) => void;
  /** A whole message has arrived, or a whole control frame with its payload. */
  readonly frame?: (socket: WireSocket, opcode: number, control: Buffer) => void;
};

/** One end of an open WebSocket. */
export class WireSocket implements Disposable {
  readonly #socket: Socket;
  readonly isClient: boolean;
  readonly #listener: Listener;
  readonly #reader = new FrameReader();
  /** How many whole text and binary messages have arrived. */
  messages = 0;
  /** How many bytes of their payloads have arrived. */
  bytes = 0;
  /** The code of the other side's Close frame: 1005 if it has none. Undefined without a Close frame. */
  closeCode: number | undefined;
  closeReason = "";
  /** Whether the connection has ended. */
  closed = false;

  #drained: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket, isClient: boolean, listener: Listener) {
    this.#socket = socket;
    this.isClient = isClient;
    this.#listener = listener;
    const onDrain = (): void => {
      this.#drained?.resolve();
      this.#drained = undefined;
    };
    const onClose = (): void => {
      this.closed = true;
      onDrain();
    };
    socket.on("drain", onDrain);
    socket.on("end", onClose);
    socket.on("close", onClose);
    socket.on("error", onClose);
    socket.on("data", (bytes: Buffer) => this.take(bytes));
  }

  take(bytes: Buffer): void {
    this.#reader.read(bytes, {
      piece: (piece) => {
        this.bytes += piece.length;
        this.#listener.piece?.(this, piece);
      },
      end: (opcode, control) => {
        if (opcode < CLOSE) this.messages += 1;
        if (opcode === CLOSE) {
          this.closeCode = control.length < 2 ? 1005 : control.readUInt16BE();
          this.closeReason = control.toString("utf8", 2);
        }
        this.#listener.frame?.(this, opcode, control);
      },
    });
  }

  /** @returns false if the sender must wait for `drained` before the next message */
  send(opcode: number, payload: Buffer | string = ""): boolean {
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    return this.sendRaw(frame(opcode, bytes, this.isClient));
  }

  /** Sends the bytes of a frame from `frame`, so that a repeated message is masked only once. */
  sendRaw(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  /** Resolves when the socket takes more, or has closed. */
  drained(): Promise<void> {
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  close(code: number, reason = ""): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.send(CLOSE, payload);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.reset();
  }
}

export type WireServer = Disposable & {
  readonly port: number;
  /** All WebSockets so far, open and closed. */
  readonly sockets: readonly WireSocket[];
  readonly open: () => number;
};

/** A server of the model `m`. It treats every GET of another path as a WebSocket handshake. */
export function startWireServer(listener: Listener = {}): WireServer {
  const models = '{"object":"list","data":[{"id":"m","object":"model"}]}';
  const sockets: WireSocket[] = [];
  const server = createServer((socket) => {
    let head = "";
    socket.on("error", () => undefined);
    socket.on("data", function onHead(bytes: Buffer) {
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      const request = head.slice(0, end);
      const rest = Buffer.from(head.slice(end + 4), "latin1");
      head = "";
      if (request.startsWith("GET /v1/models ")) {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${models.length}\r\n\r\n${models}`);
        return;
      }
      socket.off("data", onHead);
      socket.write(answerTo(request));
      const opened = new WireSocket(socket, false, listener);
      sockets.push(opened);
      if (rest.length > 0) opened.take(rest);
    });
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    open: () => sockets.filter(({ closed }) => !closed).length,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.reset();
      server.close();
    },
  };
}

/** Resolves when the WebSocket is open. @throws if the answer is not 101 */
export async function openWire(
  port: number,
  listener: Listener = {},
  path = "/v1/realtime?model=m",
): Promise<WireSocket> {
  const socket = connect({ port, host: "127.0.0.1" });
  const { promise, resolve, reject } = Promise.withResolvers<WireSocket>();
  let head = "";
  socket.once("error", reject);
  socket.once("close", () => reject(new Error(`Cannot open a WebSocket: ${head}`)));
  socket.on("data", function onHead(bytes: Buffer) {
    head += bytes.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    if (!head.startsWith(SWITCHING)) {
      reject(new Error(`Cannot open a WebSocket: ${head}`));
      return;
    }
    socket.off("data", onHead);
    const opened = new WireSocket(socket, true, listener);
    const rest = Buffer.from(head.slice(end + 4), "latin1");
    if (rest.length > 0) opened.take(rest);
    resolve(opened);
  });
  socket.once("connect", () => socket.write(handshake(path)));
  return within("a WebSocket", promise, 10_000);
}

/** Opens many in groups, because a listener's queue is limited. */
export async function openWires(
  port: number,
  count: number,
  listener: Listener = {},
): Promise<readonly WireSocket[]> {
  const sockets: WireSocket[] = [];
  while (sockets.length < count) {
    const group = Array.from({ length: Math.min(100, count - sockets.length) }, () =>
      openWire(port, listener),
    );
    sockets.push(...(await Promise.all(group)));
  }
  return sockets;
}

function handshake(path: string): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    "Host: proxy.test",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function answerTo(request: string): string {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}${GUID}`).digest("base64");
  return `${SWITCHING}Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}
