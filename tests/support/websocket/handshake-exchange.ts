/**
 * One handshake, written by hand at both ends: the request that the server gets, and the answer that the
 * client gets, directly and through the proxy.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type HttpMessage, parseHead, parseMessage } from "../client/http-message.ts";
import { startProxy } from "../proxy/in-process.ts";
import { makeBackend } from "../server/backends.ts";
import { until, within } from "../until.ts";
import { FrameReader, OPCODE } from "./frames.ts";
import { acceptOf, KEY } from "./handshake.ts";
import { messageLine } from "./transcript.ts";

/** The server's reaction when the request's head has arrived. */
export type ServerAnswer = {
  /** @param key the received Sec-WebSocket-Key */
  readonly bytes: (key: string | undefined) => string | Uint8Array;
  /** How the connection ends after the answer. By default it stays open. */
  readonly leave?: "FIN" | "RST";
};

export type Handshake = {
  readonly request: string;
  readonly answer: ServerAnswer;
  /** How many frames the client waits for after a 101. None by default. */
  readonly frames?: number;
  /** The base path of the server's API. `/v1` by default. */
  readonly basePath?: string;
};

/** Name → value. Set-Cookie has one value in each line. */
type Headers = Readonly<Record<string, string>>;

export type Arrived = {
  readonly start: string;
  readonly headers: Headers;
};

export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** The error code, if the proxy made the answer. */
  readonly code: string | undefined;
  /** Whether the answer was complete. */
  readonly complete: boolean;
  /** The frames after a 101. */
  readonly frames: readonly string[];
};

export type Exchanged = {
  /** Undefined: no answer came. */
  readonly client: Answered | undefined;
  readonly server: Arrived | undefined;
};

export async function exchangeDirectly(handshake: Handshake): Promise<Exchanged> {
  using server = await answeringServer(handshake.answer);
  const client = await ask(server.port, handshake);
  return { client, server: server.arrived() };
}

export async function exchangeThrough(handshake: Handshake): Promise<Exchanged> {
  using server = await answeringServer(handshake.answer);
  const { basePath = "/v1" } = handshake;
  const backend = makeBackend({ origin: `http://127.0.0.1:${server.port}`, basePath });
  using proxy = startProxy({ backends: [backend], pseudonym: "the-proxy" });
  const client = await ask(proxy.port, handshake);
  await until("the lease has ended", () => backend.inFlight === 0);
  return { client, server: server.arrived() };
}

type AnsweringServer = Disposable & {
  readonly port: number;
  readonly arrived: () => Arrived | undefined;
};

async function answeringServer({ bytes, leave }: ServerAnswer): Promise<AnsweringServer> {
  const sockets: Socket[] = [];
  let arrived: Arrived | undefined;
  const server = createServer((socket) => {
    sockets.push(socket);
    let received: Buffer = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (piece: Buffer) => {
      if (arrived !== undefined) return;
      received = Buffer.concat([received, piece]);
      const head = parseHead(received);
      if (head === undefined) return;
      arrived = { start: head.start, headers: requestHeaders(head.headers) };
      socket.write(asBytes(bytes(head.headers.get("sec-websocket-key")?.[0])), () => {
        if (leave === "FIN") socket.end();
        if (leave === "RST") socket.resetAndDestroy();
      });
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await within("a port", listening.promise);
  return {
    port: (server.address() as AddressInfo).port,
    arrived: () => arrived,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Sends the request. Leaves when the answer is complete, or cannot get longer. */
async function ask(
  port: number,
  { request, frames = 0 }: Handshake,
): Promise<Answered | undefined> {
  const socket = connect({ port, host: "127.0.0.1" });
  const pieces: Buffer[] = [];
  const answered = Promise.withResolvers<Answered | undefined>();
  const look = (ended: boolean): void => {
    const answer = answerIn(Buffer.concat(pieces), ended);
    if (ended || (answer?.complete && answer.frames.length >= frames)) answered.resolve(answer);
  };
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    look(false);
  });
  let isReset = false;
  socket.on("error", () => {
    isReset = true;
  });
  socket.on("end", () => look(true));
  socket.on("close", () => {
    if (isReset) answered.resolve(answerIn(Buffer.concat(pieces), false));
    else look(true);
  });
  socket.write(request, "latin1");
  try {
    return await within("an answer to the handshake", answered.promise);
  } finally {
    socket.destroy();
  }
}

function answerIn(bytes: Buffer, ended: boolean): Answered | undefined {
  const head = parseHead(bytes);
  if (head === undefined) return undefined;
  const message = parseMessage(bytes, ended);
  const status = Number(/^HTTP\S+ (\d+)/.exec(head.start)?.[1] ?? 0);
  return {
    status,
    headers: answerHeaders(head.headers),
    body: message === undefined ? "" : messageLine("body", message.body),
    code: message && codeIn(message.body),
    complete: message !== undefined,
    frames: status === 101 ? framesIn(bytes.subarray(head.length)) : [],
  };
}

function codeIn(body: Buffer): string | undefined {
  return /"code":"(\w+)"/.exec(body.toString())?.[1];
}

function framesIn(bytes: Buffer): readonly string[] {
  return new FrameReader()
    .push(bytes)
    .map(({ opcode, payload }) =>
      messageLine(opcode === OPCODE.close ? "close" : `opcode ${opcode}`, payload),
    );
}

/** Each hop has its own connection and its own framing of messages. */
const OF_THE_HOP = ["connection", "keep-alive", "content-length", "transfer-encoding", "date"];

function requestHeaders(headers: HttpMessage["headers"]): Headers {
  const key = headers.get("sec-websocket-key")?.[0];
  const shown = toRecord(headers);
  return key === undefined
    ? shown
    : { ...shown, "sec-websocket-key": key === KEY ? "the client's" : `another, ${sizeOf(key)} B` };
}

function answerHeaders(headers: HttpMessage["headers"]): Headers {
  const accept = headers.get("sec-websocket-accept")?.[0];
  const shown = toRecord(headers);
  return accept === undefined
    ? shown
    : { ...shown, "sec-websocket-accept": accept === acceptOf(KEY) ? "right" : "wrong" };
}

function toRecord(headers: HttpMessage["headers"]): Headers {
  const kept = [...headers].filter(([name]) => !OF_THE_HOP.includes(name));
  return Object.fromEntries(
    kept.map(([name, values]) => [name, values.join(name === "set-cookie" ? "\n" : ", ")]),
  );
}

function sizeOf(key: string): number {
  return Buffer.from(key, "base64").length;
}

function asBytes(bytes: string | Uint8Array): Uint8Array {
  return typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
}
