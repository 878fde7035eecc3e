/**
 * The clients' ends of all WebSockets: what Bun.serve tells of each goes to its listener. Finds out which clients have
 * vanished, and ends those that are left when the proxy stops. Knows no servers.
 */
import { randomBytes } from "node:crypto";
import { Turn } from "../../ground/turn.ts";
import { MESSAGE_BYTES_MAX } from "./close-codes.ts";

/** The client's end of one WebSocket, as far as a listener may use it. */
export type ClientSocket = Pick<
  Bun.ServerWebSocket<unknown>,
  | "sendText"
  | "sendBinary"
  | "ping"
  | "pong"
  | "pause"
  | "resume"
  | "close"
  | "terminate"
  | "getBufferedAmount"
  | "cork"
>;

/** Is told what happens on the client's end of one WebSocket. */
export type SocketListener = {
  /** Called first, and before `upgrade` returns. */
  readonly opened: (client: ClientSocket) => void;
  readonly message: (message: string | Buffer) => void;
  /** What was queued has gone out, or some of it. */
  readonly drained: () => void;
  readonly ping: (data: Buffer) => void;
  readonly pong: (data: Buffer) => void;
  /** Called last. 1005: the Close frame had no code; 1006: there was no Close frame (RFC 6455 §7.4.1). */
  readonly closed: (code: number, reason: string) => void;
  /**
   * Reads on for a moment, if the client is not read from: Bun may not tell otherwise that it has gone (measured, 1.4.5).
   */
  readonly lookForClient: () => void;
  /** The proxy is about to end: the WebSocket must end now. */
  readonly stop: () => void;
  /** One of these has thrown: a bug of ours. */
  readonly failed: (error: unknown) => void;
  /** Resolves when the server's end has ended too: what the client has sent last may still be on its way. */
  readonly over: Promise<void>;
  /** What has been sent to the client, or is queued for it. */
  readonly sent: { readonly messages: number; readonly bytes: number };
};

/** What Bun keeps of each. */
export type SocketEntry = {
  readonly listener: SocketListener;
  /** Something has come from the client since the last round. */
  isHeard: boolean;
  /** Rounds in which neither anything has come nor anything queued has gone out. */
  silentRounds: number;
  /** At the last round. */
  sentMessages: number;
  /** Bytes that were queued for it then, and that had gone out. */
  queued: number;
  gone: number;
};

type Socket = Bun.ServerWebSocket<SocketEntry>;

export type ClientSocketsInit = {
  /**
   * How often silent clients are pinged, ms. Each of them gets a ping within two rounds: nginx and HAProxy end what
   * was silent for 60 s and 50 s.
   */
  readonly roundMs?: number;
};

const ROUND_MS = 20_000;
/** A client that says nothing for so many rounds has vanished: 120 s. */
const SILENT_ROUNDS_MAX = 6;

export class ClientSockets {
  readonly #roundMs: number;
  readonly #open = new Set<Socket>();
  /** Those of which an end is open. */
  readonly #listeners = new Set<SocketListener>();
  /** Of our own pings: every other pong is an answer to somebody else. */
  readonly #payload = randomBytes(8);
  #rounds: Timer | undefined;

  constructor({ roundMs = ROUND_MS }: ClientSocketsInit = {}) {
    this.#roundMs = roundMs;
  }

  /** For Bun.serve. */
  get handler(): Bun.WebSocketHandler<SocketEntry> {
    return {
      maxPayloadLength: MESSAGE_BYTES_MAX, // a longer one gets 1009
      backpressureLimit: 0, // none: a long message would be lost in silence. Listeners stop in time
      perMessageDeflate: false,
      // Bun takes what it sends for a sign of life, so that a client which is sent to never vanishes.
      idleTimeout: 0,
      sendPings: false,
      open: (socket) => this.#opened(socket),
      message: (socket, message) => this.#heard(socket).message(message),
      drain: (socket) => socket.data.listener.drained(),
      ping: (socket, data) => this.#heard(socket).ping(data),
      pong: (socket, data) => {
        const listener = this.#heard(socket);
        if (!data.equals(this.#payload)) listener.pong(data);
      },
      error: (error, socket) => socket.data.listener.failed(error),
      close: (socket, code, reason) => {
        this.#open.delete(socket);
        const { listener } = socket.data;
        listener.closed(code, reason);
        void listener.over.then(() => this.#listeners.delete(listener));
      },
    };
  }

  /** What `server.upgrade` needs to know. */
  entryOf(listener: SocketListener): SocketEntry {
    return { listener, isHeard: true, silentRounds: 0, sentMessages: 0, queued: 0, gone: 0 };
  }

  /** How many WebSockets there are of which an end is open. */
  get count(): number {
    return this.#listeners.size;
  }

  /** Ends all. */
  stop(): void {
    for (const listener of this.#listeners) listener.stop();
  }

  #opened(socket: Socket): void {
    this.#open.add(socket);
    this.#listeners.add(socket.data.listener);
    this.#rounds ??= setInterval(() => void this.#round(), this.#roundMs);
    socket.data.listener.opened(socket);
  }

  #heard({ data }: Socket): SocketListener {
    data.isHeard = true;
    return data.listener;
  }

  async #round(): Promise<void> {
    if (this.#open.size === 0) {
      clearInterval(this.#rounds);
      this.#rounds = undefined;
    }
    const turn = new Turn();
    for (const socket of [...this.#open]) {
      if (this.#open.has(socket)) this.#visit(socket);
      if (turn.isOver) await turn.next();
    }
  }

  #visit(socket: Socket): void {
    const entry = socket.data;
    const { messages, bytes } = entry.listener.sent;
    const queued = socket.getBufferedAmount();
    const gone = bytes - queued;
    // Who reads slowly has our ping behind all that is queued.
    const takesSome = entry.queued > 0 && gone > entry.gone;
    // Who is not read from can't be heard.
    const isAlive = entry.isHeard || socket.isPaused || takesSome;
    entry.silentRounds = isAlive ? 0 : entry.silentRounds + 1;
    if (entry.silentRounds >= SILENT_ROUNDS_MAX) {
      socket.terminate();
      return;
    }
    if (!entry.isHeard || messages === entry.sentMessages) socket.ping(this.#payload);
    if (socket.isPaused) entry.listener.lookForClient();
    Object.assign(entry, { isHeard: false, sentMessages: messages, queued, gone });
  }
}
