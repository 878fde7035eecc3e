/**
 * The clients' ends of all WebSockets. Passes the events of Bun.serve to the listener of each WebSocket. Finds clients
 * that have vanished, and ends the remaining WebSockets when the proxy stops. Knows no servers.
 */
import { randomBytes } from "node:crypto";
import { Turn } from "../../ground/turn.ts";
import { MESSAGE_BYTES_MAX } from "./close-codes.ts";

/** The part of a client's WebSocket that a listener may use. */
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

/** Gets the events of the client's end of one WebSocket. */
export type SocketListener = {
  /** Called first, before `upgrade` returns. */
  readonly opened: (client: ClientSocket) => void;
  readonly message: (message: string | Buffer) => void;
  /** Some or all of the queue was sent. */
  readonly drained: () => void;
  readonly ping: (data: Buffer) => void;
  readonly pong: (data: Buffer) => void;
  /** Called last. 1005: the Close frame had no code; 1006: there was no Close frame (RFC 6455 §7.4.1). */
  readonly closed: (code: number, reason: string) => void;
  /**
   * Resumes reading for a moment if it is paused: otherwise Bun may not report that the client is gone (measured, 1.4.5).
   */
  readonly lookForClient: () => void;
  /** The proxy is about to exit: the WebSocket must end now. */
  readonly stop: () => void;
  /** One of these functions has thrown: a bug in the proxy. */
  readonly failed: (error: unknown) => void;
  /** Resolves when the server's end has ended too: the client's last messages may still be on their way to it. */
  readonly over: Promise<void>;
  /** Sent to the client or queued for it. */
  readonly sent: { readonly messages: number; readonly bytes: number };
};

/** The data that Bun keeps with each WebSocket. */
export type SocketEntry = {
  readonly listener: SocketListener;
  /** The client has sent something since the last round. */
  isHeard: boolean;
  /** Rounds in a row in which the client sent nothing and took nothing from the queue. */
  silentRounds: number;
  /** At the last round: messages sent. */
  sentMessages: number;
  /** At the last round: bytes queued for the client, and bytes that had left the queue. */
  queued: number;
  gone: number;
};

type Socket = Bun.ServerWebSocket<SocketEntry>;

export type ClientSocketsInit = {
  /**
   * How often the proxy pings silent clients, ms. Each silent client gets a ping within two rounds: nginx and HAProxy
   * close connections that were silent for 60 s and 50 s.
   */
  readonly roundMs?: number;
};

const ROUND_MS = 20_000;
/** A client that is silent for this many rounds has vanished: 120 s. */
const SILENT_ROUNDS_MAX = 6;

export class ClientSockets {
  readonly #roundMs: number;
  readonly #open = new Set<Socket>();
  /** Listeners whose WebSocket has at least one open end. */
  readonly #listeners = new Set<SocketListener>();
  /** The payload of the proxy's own pings. A pong with another payload is for the server. */
  readonly #payload = randomBytes(8);
  #rounds: Timer | undefined;

  constructor({ roundMs = ROUND_MS }: ClientSocketsInit = {}) {
    this.#roundMs = roundMs;
  }

  /** For Bun.serve. */
  get handler(): Bun.WebSocketHandler<SocketEntry> {
    return {
      maxPayloadLength: MESSAGE_BYTES_MAX, // a longer one gets 1009
      backpressureLimit: 0, // no limit: Bun would silently drop a long message. Listeners stop in time
      perMessageDeflate: false,
      // Bun counts its own sends as a sign of life, so it would never notice a vanished client that gets data.
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

  /** The `data` for `server.upgrade`. */
  entryOf(listener: SocketListener): SocketEntry {
    return { listener, isHeard: true, silentRounds: 0, sentMessages: 0, queued: 0, gone: 0 };
  }

  /** How many WebSockets have at least one open end. */
  get count(): number {
    return this.#listeners.size;
  }

  /** Ends all WebSockets. */
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
    // For a client that reads slowly, our ping waits behind the whole queue.
    const takesSome = entry.queued > 0 && gone > entry.gone;
    // While reading is paused, the proxy cannot hear the client.
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
