/**
 * The two ends of a WebSocket on bare sockets: they send the bytes of a script, and record the received
 * frames.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { parseHead } from "../client/http-message.ts";
import { within } from "../until.ts";
import { type Frame, FrameReader, OPCODE } from "./frames.ts";
import { handshakeRequest, switchingProtocols } from "./handshake.ts";
import type { RawStep } from "./script.ts";
import { closeLine, messageLine, Transcript } from "./transcript.ts";

/** Longer than 40 MB take on a busy machine. */
const STEP_BOUND_MS = 10_000;

export type RawClient = Disposable & { readonly transcript: Transcript };
export type RawWebSocketServer = RawClient & { readonly origin: string };

/** Connects, makes the handshake, and plays the steps. */
export function rawWebSocketClient(
  origin: string,
  steps: readonly RawStep[],
  request = handshakeRequest(),
): RawClient {
  const transcript = new Transcript();
  const socket = connect({ port: Number(new URL(origin).port), host: "127.0.0.1" });
  const onHead = (head: Buffer): void => {
    transcript.add(head.toString("latin1", "HTTP/1.1 ".length, "HTTP/1.1 101".length));
    void play(socket, steps, transcript);
  };
  follow({ socket, transcript, expectMasked: false, onHead });
  socket.write(request, "latin1");
  return { transcript, [Symbol.dispose]: () => socket.destroy() };
}

/** Listens, and plays the steps on the only connection. */
export async function rawWebSocketServer(steps: readonly RawStep[]): Promise<RawWebSocketServer> {
  const transcript = new Transcript();
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    const onHead = (head: Buffer): void => {
      transcript.add("open");
      const key = parseHead(head)?.headers.get("sec-websocket-key")?.[0];
      socket.write(switchingProtocols(key), "latin1");
      void play(socket, steps, transcript);
    };
    follow({ socket, transcript, expectMasked: true, onHead });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await within("a port", listening.promise);
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    transcript,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

type Followed = {
  readonly socket: Socket;
  readonly transcript: Transcript;
  /** Clients mask their frames, servers do not (RFC 6455 §5.1). */
  readonly expectMasked: boolean;
  readonly onHead: (head: Buffer) => void;
};

function follow({ socket, transcript, expectMasked, onHead }: Followed): void {
  const reader = new FrameReader();
  let head: Buffer | undefined = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("data", (piece: Buffer) => {
    let bytes = piece;
    if (head !== undefined) {
      head = Buffer.concat([head, piece]);
      const length = parseHead(head)?.length;
      if (length === undefined) return;
      bytes = head.subarray(length);
      const whole = head.subarray(0, length);
      head = undefined;
      onHead(whole);
    }
    for (const frame of reader.push(bytes)) transcript.add(frameLine(frame, expectMasked));
  });
  socket.on("error", () => undefined);
  socket.on("close", () => transcript.end());
}

const NAMES: Readonly<Record<number, string>> = {
  [OPCODE.continuation]: "continuation",
  [OPCODE.text]: "text",
  [OPCODE.binary]: "binary",
  [OPCODE.ping]: "ping",
  [OPCODE.pong]: "pong",
};

function frameLine(frame: Frame, expectMasked: boolean): string {
  const { opcode, fin, reserved, isMasked, payload } = frame;
  const wrong = [
    ...(fin ? [] : ["not final"]),
    ...(reserved === 0 ? [] : [`reserved bits ${reserved}`]),
    ...(isMasked === expectMasked ? [] : [isMasked ? "masked" : "not masked"]),
  ].map((word) => `, ${word}`);
  if (opcode === OPCODE.close) {
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE();
    return `${closeLine(code, payload.subarray(2))}${wrong.join("")}`;
  }
  return `${messageLine(NAMES[opcode] ?? `opcode ${opcode}`, payload)}${wrong.join("")}`;
}

async function play(
  socket: Socket,
  steps: readonly RawStep[],
  transcript: Transcript,
): Promise<void> {
  for (const step of steps) {
    if (!("until" in step)) {
      await act(socket, step);
      continue;
    }
    const { until } = step;
    const what = `${until === "close" ? "Close" : `line ${until}`} after ${JSON.stringify(transcript.lines)}`;
    const came = until === "close" ? transcript.closes() : transcript.reaches(until);
    if (!(await within(what, came, STEP_BOUND_MS))) return;
  }
}

async function act(socket: Socket, step: Exclude<RawStep, { until: unknown }>): Promise<void> {
  if ("bytes" in step) {
    if (step.chopped) await writeChopped(socket, step.bytes);
    else socket.write(step.bytes);
  } else if (step.leave === "FIN") {
    socket.end();
  } else {
    socket.resetAndDestroy();
  }
}

/** Each byte becomes a segment: the socket has no delay, and the other side gets a turn after each byte. */
async function writeChopped(socket: Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    const written = Promise.withResolvers<void>();
    socket.write(Uint8Array.of(byte), () => written.resolve());
    await written.promise;
    await new Promise(setImmediate);
  }
}
