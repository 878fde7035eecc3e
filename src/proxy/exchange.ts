/**
 * One request and its answer, and all that must be let go of at their end: the client's connection, what is
 * kept of the body, and for each backend that is asked a lease, its timers and its report. It is let go of
 * here and nowhere else, once, whichever way the exchange ends. Sends nothing itself: it knows no fetch, no
 * sockets and no body of an answer.
 */
import type { Backend, Lease } from "../routing/backend.ts";
import type { CallEnd, CallReport, RequestReport, SocketEnd } from "../telemetry/telemetry.ts";
import type { Turns } from "./body/upload-reader.ts";
import { isHandshake } from "./handshake.ts";
import type { SocketListener } from "./socket/client-sockets.ts";
import type { Target } from "./target.ts";
import { type AbortReason, type Patience, type Turn, UpstreamAbort } from "./upstream-abort.ts";

/** What there is to know of a client's connection, and whose turn it is on it. */
export type Client = Turns & {
  /** IP address. */
  readonly address: string | undefined;
  /**
   * Answers with 101, and has the client's end of the WebSocket tell the listener what happens on it.
   *
   * @returns false if the client has gone
   */
  readonly upgrade: (headers: Headers, listener: SocketListener) => boolean;
  /** The exchange is over. */
  readonly release: () => void;
};

/** What is kept of the body of a request. */
export type Upload = {
  /** The answer has begun: it is delivered, whatever the client still sends or does not send. */
  readonly answered: () => void;
  /** The body will not be sent again. Lets go of it, unless it is still on its way to the backend. */
  readonly sent: () => void;
  /** Lets go of what is kept of it. */
  readonly release: () => void;
  /** Lets go of what is kept of it, and stops reading the rest: nobody will send it. */
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
   * The model's id, as logs and reports name it. Undefined as long as the request has named no model: it then
   * goes to whoever there is.
   */
  get model(): string | undefined {
    return this.#model;
  }

  /** The name by which the request asks for the model: servers are sought by it, since they get it as it is. */
  get asked(): string | undefined {
    return this.#asked;
  }

  /** @param id under which a server lists the model, or did just now; undefined if no server has it */
  name(asked: string, id: string | undefined): void {
    this.#asked = asked;
    this.#model = id ?? asked;
    this.report.named(this.#model, id !== undefined);
  }

  /** Takes over what is kept of the request's body. */
  owns<U extends Upload>(upload: U): U {
    this.#upload = upload;
    return upload;
  }

  /**
   * Takes over a lease, to ask its backend. There may be another attempt when one has failed.
   * Must be called in the step that took the lease.
   */
  attempt(lease: Lease, patience: Patience): Attempt {
    return new Attempt(this, lease, patience);
  }

  /** The head of a backend's answer has come. */
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
   * @param code says why, if the answer is an error
   */
  answeredByProxy(status: number, code: string | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#upload?.discard();
    this.client.release();
    this.report.answered(status, code);
  }

  /** Ends the exchange: the answer of a backend has ended, which its attempt reports. */
  answeredByBackend(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#upload?.release();
    this.client.release();
  }
}

/** How the answer of a backend has ended. */
export type Ending = "complete" | "client gone" | "broken off";

/** One backend that is asked: holds a lease on it until the attempt has failed or the answer has ended. */
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

  /** Why it was aborted, if it was. */
  get abortReason(): AbortReason | undefined {
    return this.#abort.reason;
  }

  /**
   * Takes over what belongs to this attempt alone. To be called once.
   *
   * @param release called once; must not refer to the body of the request, since it lives as long as the answer
   */
  owns(release: () => void): void {
    this.#release = release;
  }

  /** The head of the answer has come: says whose turn it is from now on. */
  waitFor(whom: Turn): void {
    this.#abort.waitFor(whom);
  }

  /** The first byte of the answer's body has come: the server has read the prompt. */
  answering(): void {
    this.#lease.answering();
  }

  /** There is no answer. The exchange goes on: with another attempt, or an answer of the proxy's own. */
  failed(error: unknown): void {
    if (!this.#isOpen) return;
    this.#abort.abandon(); // an answer may have come that is of no use
    this.#letGo();
    if (this.abortReason !== "client gone") this.backend.ending.brokeOff();
    this.call.failed(error, this.abortReason);
  }

  /** From now on it is known whether the client has gone. */
  watchClient(): void {
    this.#abort.watchClient();
  }

  /** It asks for a WebSocket: its client is watched from now on, and others listen to its signal. */
  opensSocket(): void {
    this.#abort.isHeard();
    this.#abort.watchClient();
  }

  /** The client has gone, which its request has not told yet. */
  clientGone(): void {
    this.#abort.clientGone();
  }

  /** The backend has answered 101: it is a WebSocket from now on. */
  upgraded(): void {
    this.#reportSocket = this.call.upgraded();
    this.#abort.upgraded(); // may end it in this very call: its time may be up
  }

  /** The proxy is about to end: as if the time to drain were up. */
  cut(): void {
    this.#abort.cut();
  }

  /** The WebSocket has ended, and with it the exchange. */
  socketEnded(end: SocketEnd): Ending {
    return this.#endedAs(end, () => this.#reportSocket?.(end, this.abortReason));
  }

  /** The answer has ended, and with it the exchange. */
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
