/**
 * Runs under Node: servers and clients of npm's ws, which play scripts. One process runs any number of them.
 * It gets its orders as lines of JSON on standard input, and reports what they see as lines on standard
 * output.
 */
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import * as ws from "ws"; // bundled: npm's
import type { ScriptedClient, ScriptedServer, Step } from "./script.ts";
import { closeLine, messageLine, Transcript } from "./transcript.ts";

/** An order to the Node process. */
export type Order =
  | { readonly id: number; readonly serve: ScriptedServer }
  | { readonly id: number; readonly connect: ScriptedClient; readonly url: string }
  | { readonly id: number; readonly stop: true };

/** A report of the Node process. */
export type Told =
  | { readonly id: number; readonly port: number }
  | { readonly id: number; readonly line: string }
  | { readonly id: number; readonly over: true };

/** The parts of npm's ws that we use. The types of `ws` in src/ describe Bun's own, which has no server. */
type NodeWebSocket = {
  readonly protocol: string;
  readonly send: (data: string | Buffer) => void;
  readonly ping: (data: string) => void;
  readonly pong: (data: string) => void;
  readonly close: (code?: number, reason?: string) => void;
  readonly terminate: () => void;
  /** Undocumented. There is no other way to the socket. */
  readonly _socket: Socket;
  readonly on: (event: string, listener: (...args: never[]) => void) => void;
};
type NodeServer = {
  readonly address: () => { readonly port: number };
  readonly close: () => void;
  readonly on: (event: string, listener: (...args: never[]) => void) => void;
};
type ServerOptions = Readonly<Record<string, unknown>>;
const { WebSocket, WebSocketServer } = ws as unknown as {
  readonly WebSocket: new (
    url: string,
    protocols: readonly string[],
    options: object,
  ) => NodeWebSocket;
  readonly WebSocketServer: new (options: ServerOptions) => NodeServer;
};

/** Releases everything that still belongs to an id, when the id is stopped. */
const running = new Map<number, () => void>();

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if ("serve" in order) serve(order.id, order.serve);
  else if ("connect" in order) connect(order.id, order.url, order.connect);
  else running.get(order.id)?.();
}
process.exit(0); // the process that gave the orders has ended

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

function serve(id: number, script: ScriptedServer): void {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    maxPayload: 64 * 1024 * 1024,
    ...(script.protocol !== undefined && { handleProtocols: () => script.protocol }),
  });
  let open: NodeWebSocket | undefined;
  server.on("listening", () => tell({ id, port: server.address().port }));
  server.on("connection", (socket: NodeWebSocket) => {
    open = socket;
    const transcript = follow(id, socket, script.echo ?? false);
    opened(id, transcript, "open");
    void play(socket, script.steps, transcript);
  });
  running.set(id, () => {
    open?.terminate();
    server.close();
    running.delete(id);
  });
}

function connect(
  id: number,
  url: string,
  { protocols = [], headers, steps }: ScriptedClient,
): void {
  const options = { headers, maxPayload: 64 * 1024 * 1024, perMessageDeflate: false };
  const socket = new WebSocket(url, protocols, options);
  const transcript = follow(id, socket, false);
  socket.on("open", () => {
    opened(id, transcript, socket.protocol === "" ? "101" : `101 ${socket.protocol}`);
    void play(socket, steps, transcript);
  });
  running.set(id, () => {
    socket.terminate();
    running.delete(id);
  });
}

function opened(id: number, transcript: Transcript, line: string): void {
  tell({ id, line });
  transcript.add(line);
}

/** Records what the socket sees, and reports it. */
function follow(id: number, socket: NodeWebSocket, echo: boolean): Transcript {
  const transcript = new Transcript();
  const line = (text: string): void => {
    tell({ id, line: text });
    transcript.add(text);
  };
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    line(messageLine(isBinary ? "binary" : "text", data));
    if (echo) socket.send(isBinary ? data : data.toString());
  });
  socket.on("ping", (data: Buffer) => line(messageLine("ping", data)));
  socket.on("pong", (data: Buffer) => line(messageLine("pong", data)));
  socket.on("error", () => undefined); // `close` follows
  socket.on("close", (code: number, reason: Buffer) => {
    line(closeLine(code, reason));
    transcript.end();
    tell({ id, over: true });
  });
  return transcript;
}

async function play(
  socket: NodeWebSocket,
  steps: readonly Step[],
  transcript: Transcript,
): Promise<void> {
  for (const step of steps) {
    if (!("until" in step)) act(socket, step);
    else if (!(await transcript.reaches(step.until))) return;
  }
}

type Action = Exclude<Step, { readonly until: number }>;

function act(socket: NodeWebSocket, step: Action): void {
  if ("text" in step || "binary" in step) {
    const data = dataOf(step);
    for (let left = step.times ?? 1; left > 0; left -= 1) socket.send(data);
  } else if ("ping" in step) {
    socket.ping(step.ping);
  } else if ("pong" in step) {
    socket.pong(step.pong);
  } else if ("close" in step) {
    socket.close(step.close ?? undefined, step.reason);
  } else if (step.leave === "FIN") {
    socket._socket.end();
  } else {
    socket._socket.resetAndDestroy();
  }
}

function dataOf(step: Extract<Action, { text: string } | { binary: string }>): string | Buffer {
  const { repeat = 1 } = step;
  return "text" in step ? step.text.repeat(repeat) : Buffer.from(step.binary.repeat(repeat), "hex");
}
