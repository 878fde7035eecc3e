/**
 * Opens a WebSocket to one backend: the handshake, whose refusal is an answer like any other, and on success the
 * client's upgrade. The messages then go through `tunnel.ts`. Does not decide whether another backend is asked:
 * `forward.ts` does.
 */
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import { errorCode } from "../ground/error-text.ts";
import { BAD_HANDSHAKE } from "../ground/failure-words.ts";
import { BugReport } from "../telemetry/bug-report.ts";
import type { Log } from "../telemetry/log.ts";
import { isUsable } from "./answer.ts";
import type { BrokenAnswers } from "./broken-answers.ts";
import type { Attempt } from "./exchange.ts";
import { endToEndHeaders, upstreamHeaders } from "./headers.ts";
import { MESSAGE_BYTES_MAX } from "./socket/close-codes.ts";
import { CLOSE_TIMEOUT_MS } from "./socket/server-end.ts";
import { Tunnel } from "./socket/tunnel.ts";
import { urlAt } from "./target.ts";
import type { Asked } from "./upstream-fetch.ts";

export type RealtimeInit = {
  readonly log: Log;
  readonly brokenAnswers: BrokenAnswers;
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
  /** How long to wait for how a server's run has ended, ms. */
  readonly runEndMs: number;
};

export type Opened = Asked | { readonly kind: "upgraded" };

const SUBPROTOCOL = "sec-websocket-protocol";
/** Each side of the proxy has its own of these (RFC 6455 §4). */
const OF_EACH_HANDSHAKE = [
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
];

export class Realtime {
  readonly #init: RealtimeInit;
  readonly #bugs: BugReport;
  /** The runs whose too long messages the log has told of, by side. */
  readonly #toldTooLong = { client: new WeakSet<object>(), server: new WeakSet<object>() };

  constructor(init: RealtimeInit) {
    this.#init = init;
    this.#bugs = new BugReport(init.log);
  }

  /** Resolves when the server has answered the handshake, or has failed to. @throws a bug of ours */
  async open(attempt: Attempt): Promise<Opened> {
    // It takes some MiB: who has no WebSockets does without.
    const { WebSocket: Client } = await import("ws");
    attempt.opensSocket();
    const { signal, backend, exchange } = attempt;
    if (signal.aborted) return { kind: "no answer", error: signal.reason };
    const server = new Client(`ws${urlAt(backend, exchange.target).slice("http".length)}`, [], {
      headers: this.#headersFor(attempt).toJSON(),
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      autoPong: false,
      followRedirects: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    });
    return this.#answerOf(server, attempt);
  }

  #headersFor({ exchange, call }: Attempt): Headers {
    const { request, client } = exchange;
    const headers = upstreamHeaders(request.headers, client.address, this.#init.pseudonym);
    for (const name of OF_EACH_HANDSHAKE) headers.delete(name);
    headers.delete("content-length");
    call.trace(headers);
    return headers;
  }

  async #answerOf(server: WebSocket, attempt: Attempt): Promise<Opened> {
    const { signal } = attempt;
    const { promise, resolve, reject } = Promise.withResolvers<Opened>();
    const failed = (error: unknown): void => resolve({ kind: "no answer", error });
    const abandon = (): void => {
      server.terminate();
      failed(signal.reason);
    };
    /** An error in a listener would end the process. */
    const listening = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        server.terminate();
        reject(error);
      }
    };
    let headers = new Headers();
    let tunnel: Tunnel | undefined;
    signal.addEventListener("abort", abandon);
    server.on("error", (error) => {
      tunnel?.serverFailed(error);
      failed(withCode(error));
    });
    server.on("close", () => failed(CLOSED)); // in case that there was no error before it
    server.on("upgrade", (response) =>
      listening(() => {
        headers = headersOfUpgrade(response);
      }),
    );
    server.on("unexpected-response", (_request, response) =>
      listening(() => resolve(refusalOf(response, signal))),
    );
    server.on("open", () =>
      listening(() => {
        signal.removeEventListener("abort", abandon);
        tunnel = this.#tunnel(server, attempt);
        // In this very call: later a message could come before there is a client.
        if (attempt.exchange.client.upgrade(headers, tunnel)) {
          attempt.upgraded();
          resolve({ kind: "upgraded" });
        } else {
          tunnel.abandon();
          attempt.clientGone();
          failed(signal.reason);
        }
      }),
    );
    return promise;
  }

  #tunnel(server: WebSocket, attempt: Attempt): Tunnel {
    const { runEndMs, brokenAnswers } = this.#init;
    const { exchange, backend } = attempt;
    const beganMs = performance.now();
    return new Tunnel({
      attempt,
      socket: server,
      runEndMs,
      onBroken: (error) =>
        brokenAnswers.add(backend, {
          what: "websocket",
          model: exchange.model,
          error,
          abortReason: attempt.abortReason,
          afterMs: performance.now() - beganMs,
        }),
      onTooLong: (from) => this.#warnTooLong(attempt, from),
      onBug: (error) => this.#bugs.tell("while it passed on a WebSocket; it is ended", error),
    });
  }

  #warnTooLong({ backend, exchange }: Attempt, from: "client" | "server"): void {
    const told = this.#toldTooLong[from];
    if (told.has(backend.ending)) return;
    told.add(backend.ending);
    this.#init.log.warn(
      `a WebSocket message of a ${from} was too long; its WebSocket is ended with 1009`,
      { container: backend.name, model: exchange.model, bytes_max: MESSAGE_BYTES_MAX },
    );
  }
}

const CLOSED = Object.assign(new Error("closed"), { code: "ECONNRESET" });

/** What is wrong with a 101 has no code: without one it would count as a bug of ours. */
function withCode(error: Error): Error {
  return errorCode(error) === undefined ? Object.assign(error, { code: BAD_HANDSHAKE }) : error;
}

/** @returns the headers of a 101 that its client gets */
function headersOfUpgrade(response: IncomingMessage): Headers {
  const { rawHeaders } = response;
  const headers = endToEndHeaders(headersOf(rawHeaders));
  for (const name of OF_EACH_HANDSHAKE) headers.delete(name);
  // Without this header Bun would choose the first one that the client has offered (measured, 1.4.5).
  if (!headers.has(SUBPROTOCOL)) headers.set(SUBPROTOCOL, "");
  // What is in `rawHeaders` is validated next, and we have offered none there (measured, 1.4.5).
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]?.toLowerCase() === SUBPROTOCOL) rawHeaders.splice(at, 2);
  }
  return headers;
}

/** @param raw names and values by turns. Those that can't be passed on are left out */
function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    try {
      headers.append(raw[at] ?? "", raw[at + 1] ?? "");
    } catch {
      // No header by RFC 9110 §5.
    }
  }
  return headers;
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

function refusalOf(response: IncomingMessage, signal: AbortSignal): Asked {
  const status = response.statusCode ?? 0;
  if (!isUsable({ status })) {
    response.destroy();
    return { kind: "no answer", error: new RangeError(`status ${status}`) };
  }
  signal.addEventListener("abort", () => response.destroy());
  const headers = headersOf(response.rawHeaders);
  const body = WITHOUT_BODY.has(status) ? null : bodyOf(response);
  return { kind: "answer", upstream: new Response(body, { status, headers }) };
}

/** Reads on when the client has taken what has come. */
function bodyOf(response: IncomingMessage): ReadableStream<Uint8Array> {
  const pieces = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void response.destroy(),
    },
    { highWaterMark: 0 },
  );
}
