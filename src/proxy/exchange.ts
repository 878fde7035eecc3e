/**
 * One request and its answer. Owns all that must be released at the end: the client's connection, the kept bytes of
 * the body, and for each backend that is asked a lease, its timers and its report. Only this file releases them, once
 * for each exchange, however it ends. Sends nothing itself: it knows no fetch, no sockets and no answer bodies.
 */
import type { Backend, Lease } from "../routing/backend.ts";
import type { CallEnd, CallReport, RequestReport, SocketEnd } from "../telemetry/telemetry.ts";
import type { Turns } from "./body/upload-reader.ts";
import { isHandshake } from "./handshake.ts";
import type { SocketListener } from "./socket/client-sockets.ts";
import type { Target } from "./target.ts";
import { type AbortReason, type Patience, type Turn, UpstreamAbort } from "./upstream-abort.ts";

/** A client's connection, and which side has its turn on it. */
export type Client = Turns & {
  /** IP address. */
  readonly address: string | undefined;
  /**
   * Answers with 101. The listener then gets all events of the client's end of the WebSocket.
   *
   * @returns false if the client has gone
   */
  readonly upgrade: (headers: Headers, listener: SocketListener) => boolean;
  /** The exchange is over. */
  readonly release: () => void;
};

/** The kept bytes of a request's body. */
export type Upload = {
  /** The answer has begun. The proxy delivers it, even if the client does not send the rest of its body. */
  readonly answered: () => void;
  /** The body will not be sent again. Releases it, unless it is still on its way to the backend. */
  readonly sent: () => void;
  /** Releases the kept bytes. */
  readonly release: () => void;
  /** Releases the kept bytes and stops reading the rest, because no server will get it. */
  readonly discard: () => void;
};

export class Exchange {
  readonly request: Request;
  readonly target: Target;
  readonly client: Client;
  readonly report: RequestReport;
  /** The client wants a WebSocket. */
  readonly isHandshake: boolean;
  #model: string | undefined;
  #asked: string | undefined;
  #upload: Upload | undefined;
  #isOpen = true;

  constructor(request: Request, target: Target, client: Client, report: RequestReport) {
    this.request = request;
    this.target = target;
    this.client = client;
    this.report = report;
    this.isHandshake = isHandshake(request, target);
  }

  /**
   * The model's id for logs and reports. Undefined if the request names no model, or its model is not read yet.
   */
  get model(): string | undefined {
    return this.#model;
  }

  /** The model's name in the request. The proxy looks servers up by it, because they get the name unchanged. */
  get asked(): string | undefined {
    return this.#asked;
  }

  /** @param id the id in the list of a server that has the model, or recently had it; otherwise undefined */
  name(asked: string, id: string | undefined): void {
    this.#asked = asked;
    this.#model = id ?? asked;
    this.report.named(this.#model, id !== undefined);
  }

  /** Takes over the kept bytes of the request's body. */
  owns<U extends Upload>(upload: U): U {
    this.#upload = upload;
    return upload;
  }

  /**
   * Takes over a lease, to ask its backend. After a failed attempt there may be another one.
   * Must be called in the step that took the lease.
   */
  attempt(lease: Lease, patience: Patience): Attempt {
    return new Attempt(this, lease, patience);
  }

  /** The head of a backend's answer has arrived. */
  answerBegins(): void {
    this.#upload?.answered();
  }

  /** The body of the request will not be needed for another attempt. */
  bodyIsSent(): void {
    this.#upload?.sent();
  }

  /**
   * Ends the exchange: the proxy answers itself.
   *
   * @param code the error code, if the answer is an error
   */
  answeredByProxy(status: number, code: string | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#upload?.discard();
    this.client.release();
    this.report.answered(status, code);
  }

  /** Ends the exchange: the answer of a backend has ended. Its attempt reports that. */
  answeredByBackend(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#upload?.release();
    this.client.release();
  }
}

/** How the answer of a backend ended. */
export type Ending = "complete" | "client gone" | "broken off";

/** One request to one backend. Holds a lease on it until the attempt fails or the answer ends. */
export class Attempt {
  readonly exchange: Exchange;
  readonly backend: Backend;
  readonly call: CallReport;
  readonly #lease: Lease;
  readonly #abort: UpstreamAbort;
  #release: (() => void) | undefined;
  #reportSocket: ReturnType<CallReport["upgraded"]> | undefined;
  #isOpen = true;

  constructor(exchange: Exchange, lease: Lease, patience: Patience) {
    this.exchange = exchange;
    this.backend = lease.backend;
    this.#lease = lease;
    this.#abort = new UpstreamAbort(exchange.request, lease, patience);
    this.call = exchange.report.call(lease.backend);
  }

  /** Aborted when the request to the backend must end early. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why it was aborted; undefined if it was not. */
  get abortReason(): AbortReason | undefined {
    return this.#abort.reason;
  }

  /**
   * Takes over what belongs to this attempt only. Call it once.
   *
   * @param release called once; must not refer to the request's body, because it lives as long as the answer
   */
  owns(release: () => void): void {
    this.#release = release;
  }

  /** The head of the answer has arrived. From now on we wait for `whom`. */
  waitFor(whom: Turn): void {
    this.#abort.waitFor(whom);
  }

  /** The first byte of the answer's body has arrived: the server has read the prompt. */
  answering(): void {
    this.#lease.answering();
  }

  /** There is no answer. The exchange continues: with another attempt, or with an answer by the proxy itself. */
  failed(error: unknown): void {
    if (!this.#isOpen) return;
    this.#abort.abandon(); // an answer that we can't use may still be coming
    this.#letGo();
    if (this.abortReason !== "client gone") this.backend.ending.brokeOff();
    this.call.failed(error, this.abortReason);
  }

  /** Watches from now on whether the client hangs up. */
  watchClient(): void {
    this.#abort.watchClient();
  }

  /** The attempt asks for a WebSocket. We watch the client from now on, and others listen to the signal. */
  opensSocket(): void {
    this.#abort.isHeard();
    this.#abort.watchClient();
  }

  /** The client has gone, but its request's signal does not show it yet. */
  clientGone(): void {
    this.#abort.clientGone();
  }

  /** The backend answered 101: this is a WebSocket from now on. */
  upgraded(): void {
    this.#reportSocket = this.call.upgraded();
    this.#abort.upgraded(); // may end it at once, if the drain timeout has expired
  }

  /** The proxy is about to exit: ends the attempt like an expired drain timeout. */
  cut(): void {
    this.#abort.cut();
  }

  /** The WebSocket has ended. This ends the exchange. */
  socketEnded(end: SocketEnd): Ending {
    return this.#endedAs(end, () => this.#reportSocket?.(end, this.abortReason));
  }

  /** The answer has ended. This ends the exchange. */
  ended(end: CallEnd): Ending {
    return this.#endedAs(end, () => this.call.ended(end, this.abortReason));
  }

  #endedAs(end: Pick<CallEnd, "error" | "cancelled">, tell: () => void): Ending {
    if (this.#isOpen) {
      this.#letGo();
      this.exchange.answeredByBackend();
      tell();
    }
    if (end.cancelled || this.abortReason === "client gone") return "client gone";
    if (end.error === undefined) return "complete";
    this.backend.ending.brokeOff();
    return "broken off";
  }

  #letGo(): void {
    this.#isOpen = false;
    this.#abort.release();
    this.#release?.();
    this.#lease.end();
  }
}
