/** HTTP by hand on node:net sockets, to send and see bytes that an HTTP library would not send or show. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { until, within } from "../until.ts";

export type RawConnection = Disposable & {
  /** Everything received so far, one character for each byte. */
  readonly received: () => string;
  /** Whether either side has ended or reset the connection. */
  readonly closed: () => boolean;
  readonly send: (text: string) => void;
  /** Resolves when `text` has arrived. */
  readonly waitFor: (text: string) => Promise<void>;
  readonly waitForClose: () => Promise<void>;
  /** Stops reading, so that the other side cannot write on. `resume` continues. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** How many bytes the kernel has not taken yet. */
  readonly unsent: () => number;
  /** Ends the connection in order (FIN). */
  readonly end: () => void;
  readonly reset: () => void;
};

export type RawServer = Disposable & {
  readonly port: number;
  readonly origin: string;
  readonly connections: readonly RawConnection[];
  /** The nth connection of all (from 0). Resolves when its request head is complete. */
  readonly request: (nth?: number) => Promise<RawConnection>;
  /** Refuses new connections, and keeps the open ones. */
  readonly stopListening: () => void;
};

export async function rawConnect(port: number, host = "127.0.0.1"): Promise<RawConnection> {
  const socket = connect({ port, host });
  const connected = Promise.withResolvers<void>();
  socket.once("connect", connected.resolve);
  socket.once("error", connected.reject);
  await within("a connection", connected.promise);
  return observe(socket);
}

/** Connects, sends, and returns the bytes that arrive until the other side closes. */
export async function rawExchange(port: number, text: string): Promise<string> {
  using connection = await rawConnect(port);
  connection.send(text);
  await connection.waitForClose();
  return connection.received();
}

export async function rawServer(): Promise<RawServer> {
  const connections: RawConnection[] = [];
  const server = createServer((socket) => connections.push(observe(socket)));
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await within("a port", listening.promise);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    connections,
    request: async (nth = 0) => {
      await until(`connection ${nth} is made`, () => connections.length > nth);
      await connections[nth]!.waitFor("\r\n\r\n");
      return connections[nth]!;
    },
    stopListening: () => void server.close(),
    [Symbol.dispose]: () => {
      for (const connection of connections) connection.reset();
      server.close();
    },
  };
}

/** Answers the proxy's first request to a new container: the container serves the model `m`. */
export async function serveModel(upstream: RawServer): Promise<void> {
  const models = '{"data":[{"id":"m"}]}';
  const connection = await upstream.request(0);
  connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${models.length}\r\n\r\n${models}`);
}

/** The body of an answer as it came over the wire. Undefined if it is incomplete. */
export function completeBody(received: string): string | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const head = received.slice(0, headEnd).toLowerCase();
  const rest = received.slice(headEnd + 4);
  if (head.includes("\r\ntransfer-encoding: chunked")) return joinChunks(rest);
  const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  return rest.length === length ? rest : undefined;
}

function joinChunks(chunked: string): string | undefined {
  const chunks: string[] = [];
  for (let at = 0; ; ) {
    const sizeEnd = chunked.indexOf("\r\n", at);
    const size = Number.parseInt(chunked.slice(at, sizeEnd), 16);
    if (sizeEnd === -1 || Number.isNaN(size)) return undefined;
    if (size === 0) return chunked.endsWith("\r\n\r\n") ? chunks.join("") : undefined;
    at = sizeEnd + 2 + size + 2;
    if (at > chunked.length) return undefined;
    chunks.push(chunked.slice(at - size - 2, at - 2));
  }
}

/** A port of this machine on which nothing listens. */
export async function freePort(): Promise<number> {
  using server = await rawServer();
  return server.port;
}

function observe(socket: Socket): RawConnection {
  let received = "";
  let closed = false;
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  const onClose = (): void => {
    closed = true;
  };
  socket.on("close", onClose);
  socket.on("end", onClose);
  socket.on("error", onClose);
  const reset = (): void => {
    closed = true;
    socket.resetAndDestroy();
  };
  return {
    received: () => received,
    closed: () => closed,
    send: (text) => {
      socket.write(text, "latin1");
    },
    waitFor: (text) => until(`${JSON.stringify(text)} comes`, () => received.includes(text)),
    waitForClose: () => until("the connection is closed", () => closed),
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    unsent: () => socket.writableLength,
    end: () => {
      socket.end();
    },
    reset,
    [Symbol.dispose]: reset,
  };
}
