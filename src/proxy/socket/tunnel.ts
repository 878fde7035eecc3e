/**
 * One WebSocket through the proxy. It passes messages from the client to the server and back, one by one. The slower end
 * sets the pace. The lease on the server ends when the server's end has closed. `realtime.ts` opens the connections.
 * If the server breaks off, the client must not believe that the server has closed the WebSocket.
 */
import type { WebSocket } from "ws";
import { errorCode } from "../../ground/error-text.ts";
import type { SocketEnd } from "../../telemetry/telemetry.ts";
import type { Attempt } from "../exchange.ts";
import { ClientEnd } from "./client-end.ts";
import type { ClientSocket, SocketListener } from "./client-sockets.ts";
import {
  ABNORMAL,
  type Close,
  CUT,
  isSendable,
  MESSAGE_BYTES_MAX,
  MESSAGE_TOO_BIG,
  NO_CLOSE_FRAME,
  serverEnded,
  TOO_BIG,
  TOO_LONG,
  TOO_LONG_MESSAGE,
} from "./close-codes.ts";
import { ServerEnd } from "./server-end.ts";

export type TunnelInit = {
  readonly attempt: Attempt;
  readonly socket: WebSocket;
  /** How long to wait for the reason why the server's run ended, ms. */
  readonly runEndMs: number;
  /** The server has broken the connection. */
  readonly onBroken: (error: unknown) => void;
  /** One side has sent a message that is too long. */
  readonly onTooLong: (from: "client" | "server") => void;
  /** The proxy's own code has thrown: a bug. */
  readonly onBug: (error: unknown) => void;
};

/** The most bytes that may wait for the server before the proxy stops reading from the client. */
const HIGH_BYTES = 256 * 1024;
const LOW_BYTES = HIGH_BYTES / 2;

/** The most bytes to keep from a server whose run is over. The kernel holds no more. */
const REST_BYTES = 32 * 1024 * 1024;

export class Tunnel implements SocketListener {
  readonly #init: TunnelInit;
  readonly #server: ServerEnd;
  /** Undefined before the client's end opens, and after it has closed. */
  #client: ClientEnd | undefined;
  readonly #fromClient = { messages: 0, bytes: 0 };
  /** From the server to the client. */
  readonly sent = { messages: 0, bytes: 0 };
  /** How the client ended the WebSocket. */
  #left: Close | undefined;
  #error: unknown;
  #isOver = false;
  readonly #over = Promise.withResolvers<void>();

  constructor(init: TunnelInit) {
    this.#init = init;
    const { socket, attempt } = init;
    this.#server = new ServerEnd(socket, this.#try, () => this.#readOnFromClient());
    const server = this.#server;
    socket.on("message", (data, isBinary) => server.pass(() => this.#send(data, isBinary)));
    socket.on("ping", (data) => server.pass(() => this.#client?.ping(data)));
    socket.on("pong", (data) => server.pass(() => this.#sendPong(data)));
    socket.on("close", (code, reason) =>
      server.pass(() => this.#serverClosed({ code, reason: reason.toString() })),
    );
    attempt.signal.addEventListener("abort", this.#onAbort);
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  opened(client: ClientSocket): void {
    this.#client = new ClientEnd(client, this.#try, () => this.#holdServer());
  }

  /** The client has gone before the WebSocket was open. */
  abandon(): void {
    this.#isOver = true;
    this.#over.resolve();
    this.#server.terminate();
  }

  /** The connection to the server has failed. Its close event follows. */
  serverFailed(error: unknown): void {
    this.#error ??= error;
  }

  failed(error: unknown): void {
    this.#init.onBug(error);
    this.#server.terminate();
    this.#client?.terminate();
  }

  message(message: string | Buffer): void {
    this.#pass(() => {
      this.#fromClient.messages += 1;
      this.#fromClient.bytes += Buffer.byteLength(message);
      this.#server.send(message);
    });
  }

  ping(data: Buffer): void {
    this.#pass(() => {
      this.#client?.pinged();
      this.#server.ping(data);
    });
  }

  pong(data: Buffer): void {
    this.#pass(() => this.#server.pong(data));
  }

  drained(): void {
    if (this.#client?.drained() !== true) return;
    this.#server.release();
    this.#readOnFromClient();
  }

  closed(code: number, reason: string): void {
    this.#client?.pass(() => this.#clientClosed(code, reason));
  }

  #clientClosed(code: number, reason: string): void {
    this.#client = undefined;
    if (this.#isOver) return;
    const isTooLong = code === ABNORMAL && reason === TOO_BIG;
    if (isTooLong) this.#init.onTooLong("client");
    this.#left = { code: isTooLong ? MESSAGE_TOO_BIG : code, reason };
    this.#server.endAs({ code, reason });
  }

  lookForClient(): void {
    if (this.#server.waitingBytes < HIGH_BYTES + MESSAGE_BYTES_MAX) this.#client?.release();
  }

  stop(): void {
    this.#init.attempt.cut();
  }

  /** Passes a client's frame on. Stops reading from the client while too many bytes wait for the server. */
  #pass(pass: () => void): void {
    this.#client?.pass(() => {
      pass();
      this.#holdClient();
    });
  }

  #holdClient(): void {
    const isTooMuch = this.#server.waitingBytes > HIGH_BYTES;
    if (isTooMuch || this.#client?.takesNoPongs === true) this.#client?.hold();
  }

  #readOnFromClient(): void {
    const client = this.#client;
    if (client === undefined || client.takesNoPongs) return;
    if (this.#server.waitingBytes <= LOW_BYTES) client.release();
  }

  #send(data: Buffer, isBinary: boolean): void {
    this.sent.messages += 1;
    this.sent.bytes += data.length;
    this.#client?.send(data, isBinary);
  }

  /** Bun has already answered the client's pings, so these pongs stop here. A server may also send unsolicited pongs. */
  #sendPong(data: Buffer): void {
    if (!this.#server.answersPing(data)) this.#client?.pong(data);
  }

  #holdServer(): void {
    const queuedBytes = this.#client?.queuedBytes ?? 0;
    if (this.#server.takesRest && queuedBytes < REST_BYTES) return;
    this.#server.hold();
  }

  #serverClosed(close: Close): void {
    this.#server.closed();
    this.#readOnFromClient(); // otherwise the proxy would not notice when the client ends
    if (this.#isOver) return;
    const left = this.#left;
    if (left !== undefined) {
      const isLost = left.code === ABNORMAL;
      this.#end({ closeCode: left.code, ...(isLost && { cancelled: true }) });
    } else if (close.code === ABNORMAL) {
      this.#serverBrokeOff();
    } else {
      this.#end({ closeCode: close.code });
      this.#client?.close(isSendable(close.code) ? close : undefined);
    }
  }

  #serverBrokeOff(): void {
    const { attempt, onBroken, onTooLong } = this.#init;
    const { abortReason } = attempt;
    const error = this.#error ?? NO_CLOSE_FRAME;
    if (errorCode(error) === TOO_LONG) {
      this.#end({ closeCode: MESSAGE_TOO_BIG, error });
      this.#client?.close(TOO_LONG_MESSAGE);
      onTooLong("server");
    } else {
      this.#end({ closeCode: ABNORMAL, error });
      onBroken(error);
      void this.#tellClientWhy(abortReason === "run-over");
    }
  }

  /** A connection breaks before the engine reports why. If the server's run has ended, the proxy tells the client. */
  async #tellClientWhy(isRunOver: boolean): Promise<void> {
    const { attempt, runEndMs } = this.#init;
    const { ending } = attempt.backend;
    const end = ending.end ?? (await ending.known(runEndMs));
    if (end === undefined && !isRunOver) this.#client?.breakOff();
    else this.#client?.close(serverEnded(end?.brief));
  }

  readonly #onAbort = (): void =>
    this.#try(() => {
      if (this.#init.attempt.abortReason === "cut") this.#cut();
      else this.#server.takeRest(); // its close event does the rest
    });

  #cut(): void {
    const error = new Error("cut");
    this.#end({ closeCode: CUT.code, error });
    this.#init.onBroken(error);
    this.#server.leave();
    this.#client?.close(CUT);
  }

  /** Ends the lease: the server is done with this WebSocket. */
  #end(end: Pick<SocketEnd, "closeCode" | "error" | "cancelled">): void {
    this.#isOver = true;
    this.#over.resolve();
    const { attempt } = this.#init;
    attempt.signal.removeEventListener("abort", this.#onAbort);
    attempt.socketEnded({ fromClient: this.#fromClient, fromServer: this.sent, ...end });
  }

  /** Catches errors: an error in a listener of the client `ws` would end the process. */
  readonly #try = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      this.failed(error);
    }
  };
}
