/** The server's end of one WebSocket: what is written to it, how much of that waits, and how it is closed. */
import type { WebSocket } from "ws";
import { ABNORMAL, type Close, GOING_AWAY, isSendable, NO_CODE } from "./close-codes.ts";
import { Gate, type Guard } from "./gate.ts";

/** How long the rest of what a client has sent may take to be written after its Close, ms. */
const FLUSH_MS = 60_000;
/** The same after its end without a Close frame. */
const FLUSH_GONE_MS = 5_000;
/** How long what is left of a server whose run is over may take to be read, ms. */
const REST_MS = 500;
/** So many pings of its client are remembered, which the server has not answered. */
const PINGS_MAX = 64;
/** How long the server may keep the connection open after the Close frames, ms. */
export const CLOSE_TIMEOUT_MS = 5_000;

export class ServerEnd {
  readonly #socket: WebSocket;
  readonly #written: () => void;
  #isGone = false;
  #takesRest = false;
  readonly #gate: Gate;
  /** How it will be closed when all is written. */
  #closing: Close | undefined;
  #flushing: Timer | undefined;
  /** What was in the pings of its client that the server has not answered. */
  #pings: Buffer[] = [];

  /**
   * @param onWritten called when the kernel has taken something
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

  /** How much waits to be written, bytes. */
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

  /** Says whether a pong of the server answers a ping, and forgets that one and those before it (RFC 6455 §5.5.3). */
  answersPing(data: Buffer): boolean {
    const at = this.#pings.findIndex((ping) => ping.equals(data));
    this.#pings.splice(0, at + 1);
    return at >= 0;
  }

  pong(data: Buffer): void {
    if (!this.#isGone) this.#socket.pong(data, true, this.#written);
  }

  /** Does what is to be done about a frame of it: see `Gate`. */
  pass(act: () => void): void {
    this.#gate.pass(act);
  }

  /** Stops reading from it. */
  hold(): void {
    if (!this.#isGone) this.#gate.hold();
  }

  /** Reads on. @returns false if nothing has held it */
  release(): boolean {
    return !this.#isGone && this.#gate.release();
  }

  /** Ends it as its client has ended, after all that this one has sent. */
  endAs(close: Close): void {
    this.release(); // or its own end would not be noticed
    this.#closing = close;
    const ms = close.code === ABNORMAL ? FLUSH_GONE_MS : FLUSH_MS;
    this.#flushing = setTimeout(() => this.#socket.terminate(), ms);
    this.#closeIfWritten();
  }

  /** Says that we go away. Drops what waits, if the server takes too long. */
  leave(): void {
    this.release();
    this.#closing = undefined;
    clearTimeout(this.#flushing);
    this.#socket.close(GOING_AWAY);
  }

  /** Its run is over: what has come of it is read, whatever the client's pace, and then it is ended. */
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

  /** It has closed. */
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
