/** The client's end of one WebSocket: queues messages for the client, pauses reading from it, and closes it. */
import type { ClientSocket } from "./client-sockets.ts";
import { type Close, isSendable } from "./close-codes.ts";
import { Gate, type Guard } from "./gate.ts";

/** The most pings to answer while the client takes nothing: Bun queues each answer. */
const UNREAD_PONGS_MAX = 10_000;

/** The most bytes of messages to send in one write: Bun joins them in a buffer of 16 KiB. */
const BATCH_BYTES = 8 * 1024;

export class ClientEnd {
  readonly #socket: ClientSocket;
  readonly #guard: Guard;
  readonly #onFull: () => void;
  /** Messages for the client from this turn of the event loop. */
  #batch: (string | Buffer)[] = [];
  #batchBytes = 0;
  readonly #gate: Gate;
  #unreadPongs = 0;
  #lastWords: (() => void) | undefined;

  /**
   * @param onFull called when the kernel does not take all bytes: send no more until `drained`
   */
  constructor(socket: ClientSocket, guard: Guard, onFull: () => void) {
    this.#socket = socket;
    this.#gate = new Gate(socket, guard);
    this.#guard = guard;
    this.#onFull = onFull;
  }

  /**
   * Sends all messages of one turn of the event loop in one write. For a short message, the write costs more than all
   * other work (measured: sending 4 messages at once takes 0.6 of the CPU time).
   */
  send(data: Buffer, isBinary: boolean): void {
    this.#batch.push(isBinary ? data : data.toString()); // Bun takes a text only as a string
    this.#batchBytes += data.length;
    if (this.#batchBytes > BATCH_BYTES) this.#flush();
    else if (this.#batch.length === 1) inThisTurn(() => this.#guard(this.#flush));
  }

  ping(data: Buffer): void {
    this.#flush();
    this.#socket.ping(data);
    this.#tellIfFull();
  }

  pong(data: Buffer): void {
    this.#flush();
    this.#socket.pong(data);
    this.#tellIfFull();
  }

  /** The client has sent a ping, and Bun has answered it. */
  pinged(): void {
    this.#unreadPongs = this.#socket.getBufferedAmount() === 0 ? 0 : this.#unreadPongs + 1;
  }

  /** The client sends pings but does not read the pongs. */
  get takesNoPongs(): boolean {
    return this.#unreadPongs > UNREAD_PONGS_MAX;
  }

  /** Bytes that are queued and not sent yet. */
  get queuedBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  /** Handles a frame from the client, now or in a later turn: see `Gate`. */
  pass(act: () => void): void {
    this.#gate.pass(act);
  }

  /** Stops reading from the client. */
  hold(): void {
    this.#gate.hold();
  }

  /** Resumes reading. */
  release(): void {
    this.#gate.release();
  }

  /** @returns true if the queue is empty */
  drained(): boolean {
    this.#flush();
    if (this.#socket.getBufferedAmount() > 0) return false;
    this.#unreadPongs = 0;
    this.#lastWords?.();
    return true;
  }

  /** Closes the WebSocket after the queue was sent. @param close if missing or not sendable, it closes without a code */
  close(close: Close | undefined): void {
    const { code, reason } = close ?? { code: 0, reason: "" };
    // 0 sends a Close frame without a code. Without an argument Bun sends 1000.
    this.#end(() => (isSendable(code) ? this.#socket.close(code, reason) : this.#socket.close(0)));
  }

  /** Ends the connection without a Close frame, after the queue was sent. */
  breakOff(): void {
    this.#end(() => this.#socket.terminate());
  }

  /** Ends the connection at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  readonly #flush = (): void => {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#socket.cork(() => {
      for (const message of batch) this.#write(message);
    });
    this.#tellIfFull();
  };

  #write(message: string | Buffer): void {
    if (typeof message === "string") this.#socket.sendText(message);
    else this.#socket.sendBinary(message);
  }

  #tellIfFull(): void {
    if (this.#socket.getBufferedAmount() > 0) this.#onFull();
  }

  /** Waits for an empty queue: Bun drops the queue when it closes a client (measured, 1.4.5). */
  #end(lastWords: () => void): void {
    this.#lastWords = lastWords;
    this.drained();
  }
}

let due: (() => void)[] = [];

/** Calls all flushes after the event loop has handled the bytes that have come. One timer serves all clients. */
function inThisTurn(flush: () => void): void {
  if (due.push(flush) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const flushes = due;
  due = [];
  for (const flush of flushes) flush();
}
