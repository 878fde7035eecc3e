/** The client's end of one WebSocket: what is queued for it, whether it is read from, and how it is closed. */
import type { ClientSocket } from "./client-sockets.ts";
import { type Close, isSendable } from "./close-codes.ts";

/** So many pings are answered while the client takes nothing: Bun queues each answer. */
const UNREAD_PONGS_MAX = 10_000;

export class ClientEnd {
  readonly #socket: ClientSocket;
  #isHeld = false;
  #unreadPongs = 0;
  #lastWords: (() => void) | undefined;

  constructor(socket: ClientSocket) {
    this.#socket = socket;
  }

  /** @returns true if all of it is on its way; false: no more should follow until `drained` */
  send(data: Buffer, isBinary: boolean): boolean {
    // For texts it takes strings alone.
    const sent = isBinary ? this.#socket.sendBinary(data) : this.#socket.sendText(data.toString());
    return sent !== -1;
  }

  /** @returns as `send` */
  ping(data: Buffer): boolean {
    this.#socket.ping(data);
    return this.#socket.getBufferedAmount() === 0;
  }

  /** @returns as `send` */
  pong(data: Buffer): boolean {
    this.#socket.pong(data);
    return this.#socket.getBufferedAmount() === 0;
  }

  /** It has sent a ping, which Bun has answered. */
  pinged(): void {
    this.#unreadPongs = this.#socket.getBufferedAmount() === 0 ? 0 : this.#unreadPongs + 1;
  }

  /** It asks for pongs, and takes none. */
  get takesNoPongs(): boolean {
    return this.#unreadPongs > UNREAD_PONGS_MAX;
  }

  /** Stops reading from it. */
  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#socket.pause();
  }

  /** Reads on. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  /** @returns true if nothing is queued any more */
  drained(): boolean {
    if (this.#socket.getBufferedAmount() > 0) return false;
    this.#unreadPongs = 0;
    this.#lastWords?.();
    return true;
  }

  /** Closes it when all has gone out. @param close without a code if it is not given, or can't be sent */
  close(close: Close | undefined): void {
    const { code, reason } = close ?? { code: 0, reason: "" };
    // 0: a Close frame without a code. Without an argument Bun sends 1000.
    this.#end(() => (isSendable(code) ? this.#socket.close(code, reason) : this.#socket.close(0)));
  }

  /** Ends it without a Close frame, when all has gone out. */
  breakOff(): void {
    this.#end(() => this.#socket.terminate());
  }

  /** Ends it at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** Bun drops what is queued for a client that is closed (measured, 1.4.5). */
  #end(lastWords: () => void): void {
    this.#lastWords = lastWords;
    this.drained();
  }
}
