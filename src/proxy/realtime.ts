/**
 * Opens a WebSocket to one backend: sends the handshake, and on success upgrades the client. `tunnel.ts` then passes
 * the messages on. A refusal is an answer like any other. `forward.ts` decides whether to ask another backend.
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
  /** How long to wait for the run's end, ms. */
  readonly runEndMs: number;
};

export type Opened = Asked | { readonly kind: "upgraded" };

const SUBPROTOCOL = "sec-websocket-protocol";
/** Headers that each side of the proxy sets for itself (RFC 6455 §4). */
const OF_EACH_HANDSHAKE = [
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
];

export class Realtime {
  readonly #init: RealtimeInit;
  readonly #bugs: BugReport;
  /** The runs whose too long messages were logged already, by side. */
  readonly #toldTooLong = { client: new WeakSet<object>(), server: new WeakSet<object>() };

  constructor(init: RealtimeInit) {
    this.#init = init;
    this.#bugs = new BugReport(init.log);
  }

  /** Resolves when the server has answered the handshake or failed. @throws only on a bug of ours */
  async open(attempt: Attempt): Promise<Opened> {
    // Loaded on first use, because it takes some MiB.
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
    /** Catches errors, because an error in a listener would end the process. */
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
    server.on("close", () => failed(CLOSED)); // in case no error came before it
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
        // Without an await: otherwise a message could arrive before there is a client.
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
      onBug: (error) =>
        this.#bugs.tell("while it passed on a WebSocket; the WebSocket ends", error),
    });
  }

  #warnTooLong({ backend, exchange }: Attempt, from: "client" | "server"): void {
    const told = this.#toldTooLong[from];
    if (told.has(backend.ending)) return;
    told.add(backend.ending);
    const fields = { container: backend.name, model: exchange.model, from };
    this.#init.log.warn("websocket message too long", { ...fields, bytes_max: MESSAGE_BYTES_MAX });
  }
}

const CLOSED = Object.assign(new Error("closed"), { code: "ECONNRESET" });

/** An error about a 101 has no code. We add one, otherwise it would count as a bug of ours. */
function withCode(error: Error): Error {
  return errorCode(error) === undefined ? Object.assign(error, { code: BAD_HANDSHAKE }) : error;
}

/** @returns the headers of a 101 that the client gets */
function headersOfUpgrade(response: IncomingMessage): Headers {
  const { rawHeaders } = response;
  const headers = endToEndHeaders(headersOf(rawHeaders));
  for (const name of OF_EACH_HANDSHAKE) headers.delete(name);
  // Without this header Bun would choose the client's first subprotocol (measured, 1.4.5).
  if (!headers.has(SUBPROTOCOL)) headers.set(SUBPROTOCOL, "");
  // `ws` validates `rawHeaders` next, and it knows of no subprotocol that we offered (measured, Bun 1.4.5).
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]?.toLowerCase() === SUBPROTOCOL) rawHeaders.splice(at, 2);
  }
  return headers;
}

/** Skips headers that can't be passed on. @param raw name, value, name, value … */
function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    try {
      headers.append(raw[at] ?? "", raw[at + 1] ?? "");
    } catch {
      // Not a valid header (RFC 9110 §5).
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

/** Reads the next piece only when the client has taken the last one. */
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
