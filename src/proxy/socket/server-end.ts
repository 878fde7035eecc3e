/** The server's end of one WebSocket: writes to the server, counts the bytes that wait, and closes the connection. */
import type { WebSocket } from "ws";
import { ABNORMAL, type Close, GOING_AWAY, isSendable, NO_CODE } from "./close-codes.ts";
import { Gate, type Guard } from "./gate.ts";

/** How long the proxy may take to write a client's last messages after the client's Close frame, ms. */
const FLUSH_MS = 60_000;
/** The same if the client has gone without a Close frame, ms. */
const FLUSH_GONE_MS = 5_000;
/** How long the proxy may take to read a server's last messages after its run is over, ms. */
const REST_MS = 500;
/** The most unanswered pings of the client to remember. */
const PINGS_MAX = 64;
/** How long the server may keep the connection open after the Close frames, ms. */
export const CLOSE_TIMEOUT_MS = 5_000;

export class ServerEnd {
  readonly #socket: WebSocket;
  readonly #written: () => void;
  #isGone = false;
  #takesRest = false;
  readonly #gate: Gate;
  /** How to close the connection when all bytes are written. */
  #closing: Close | undefined;
  #flushing: Timer | undefined;
  /** The payloads of the client's pings that the server has not answered. */
  #pings: Buffer[] = [];

  /**
   * @param onWritten called when the kernel has taken bytes
   */
  constructor(socket: WebSocket, guard: Guard, onWritten: () => void) {
    this.#socket = socket;
    this.#gate = new Gate(socket, guard);
    this.#written = () =>
      guard(() => {
        onWritten();
        this.#closeIfWritten();
      });
  }

  /** Bytes that wait to be written. */
  get waitingBytes(): number {
    return this.#isGone ? 0 : this.#socket.bufferedAmount;
  }

  send(message: string | Buffer): void {
    if (!this.#isGone) this.#socket.send(message, this.#written);
  }

  ping(data: Buffer): void {
    if (this.#isGone) return;
    this.#pings.push(Buffer.from(data));
    if (this.#pings.length > PINGS_MAX) this.#pings.shift();
    this.#socket.ping(data, true, this.#written);
  }

  /** Tells whether a pong answers a ping of the client. Forgets this ping and all earlier ones (RFC 6455 §5.5.3). */
  answersPing(data: Buffer): boolean {
    const at = this.#pings.findIndex((ping) => ping.equals(data));
    this.#pings.splice(0, at + 1);
    return at >= 0;
  }

  pong(data: Buffer): void {
    if (!this.#isGone) this.#socket.pong(data, true, this.#written);
  }

  /** Handles a frame from the server, now or in a later turn: see `Gate`. */
  pass(act: () => void): void {
    this.#gate.pass(act);
  }

  /** Stops reading from the server. */
  hold(): void {
    if (!this.#isGone) this.#gate.hold();
  }

  /** Resumes reading. @returns false if it was not held */
  release(): boolean {
    return !this.#isGone && this.#gate.release();
  }

  /** Ends the connection in the same way as the client did, after all of the client's messages. */
  endAs(close: Close): void {
    this.release(); // otherwise the proxy would not notice when the server ends
    this.#closing = close;
    const ms = close.code === ABNORMAL ? FLUSH_GONE_MS : FLUSH_MS;
    this.#flushing = setTimeout(() => this.#socket.terminate(), ms);
    this.#closeIfWritten();
  }

  /** Closes with the code 1001, "going away". Drops waiting bytes if the server takes too long. */
  leave(): void {
    this.release();
    this.#closing = undefined;
    clearTimeout(this.#flushing);
    this.#socket.close(GOING_AWAY);
  }

  /** The server's run is over: reads its last messages, without waiting for the client, and then ends the connection. */
  takeRest(): void {
    this.#takesRest = true;
    if (this.release()) setTimeout(() => this.#socket.terminate(), REST_MS);
    else this.#socket.terminate();
  }

  get takesRest(): boolean {
    return this.#takesRest;
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The connection has closed. */
  closed(): void {
    this.#isGone = true;
    clearTimeout(this.#flushing);
  }

  #closeIfWritten(): void {
    const closing = this.#closing;
    if (closing === undefined || this.waitingBytes > 0) return;
    this.#closing = undefined;
    clearTimeout(this.#flushing);
    if (closing.code === NO_CODE) this.#socket.close();
    else if (isSendable(closing.code)) this.#socket.close(closing.code, closing.reason);
    else this.#socket.terminate();
  }
}
