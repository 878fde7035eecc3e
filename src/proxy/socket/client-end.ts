/** The client's end of one WebSocket: what is queued for it, whether it is read from, and how it is closed. */
import type { ClientSocket } from "./client-sockets.ts";
import { type Close, isSendable } from "./close-codes.ts";
import { Gate, type Guard } from "./gate.ts";

/** So many pings are answered while the client takes nothing: Bun queues each answer. */
const UNREAD_PONGS_MAX = 10_000;

/** Messages up to so many bytes together go out in one write: Bun joins them in a buffer of 16 KiB. */
const BATCH_BYTES = 8 * 1024;

export class ClientEnd {
  readonly #socket: ClientSocket;
  readonly #guard: Guard;
  readonly #onFull: () => void;
  /** What has come for it in this turn of the event loop. */
  #batch: (string | Buffer)[] = [];
  #batchBytes = 0;
  readonly #gate: Gate;
  #unreadPongs = 0;
  #lastWords: (() => void) | undefined;

  /**
   * @param onFull called when the kernel does not take all: no more should follow until `drained`
   */
  constructor(socket: ClientSocket, guard: Guard, onFull: () => void) {
    this.#socket = socket;
    this.#gate = new Gate(socket, guard);
    this.#guard = guard;
    this.#onFull = onFull;
  }

  /**
   * What comes for it in one turn of the event loop goes out in one write. A write costs more than all else that is
   * done to a short message (measured: 4 messages at once take 0.6 of the CPU time).
   */
  send(data: Buffer, isBinary: boolean): void {
    this.#batch.push(isBinary ? data : data.toString()); // for texts it takes strings alone
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

  /** It has sent a ping, which Bun has answered. */
  pinged(): void {
    this.#unreadPongs = this.#socket.getBufferedAmount() === 0 ? 0 : this.#unreadPongs + 1;
  }

  /** It asks for pongs, and takes none. */
  get takesNoPongs(): boolean {
    return this.#unreadPongs > UNREAD_PONGS_MAX;
  }

  /** Bytes that have not gone out yet. */
  get queuedBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  /** Does what is to be done about a frame of it: see `Gate`. */
  pass(act: () => void): void {
    this.#gate.pass(act);
  }

  /** Stops reading from it. */
  hold(): void {
    this.#gate.hold();
  }

  /** Reads on. */
  release(): void {
    this.#gate.release();
  }

  /** @returns true if nothing is queued any more */
  drained(): boolean {
    this.#flush();
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

  /** Bun drops what is queued for a client that is closed (measured, 1.4.5). */
  #end(lastWords: () => void): void {
    this.#lastWords = lastWords;
    this.drained();
  }
}

let due: (() => void)[] = [];

/** Calls all when what has come by now has been looked at. One timer serves all clients. */
function inThisTurn(flush: () => void): void {
  if (due.push(flush) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const flushes = due;
  due = [];
  for (const flush of flushes) flush();
}
