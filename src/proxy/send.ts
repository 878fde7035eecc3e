/**
 * Sends a request to one backend over HTTP, and makes the client's answer from the backend's answer. `forward.ts`
 * decides whether to send again. The exchange owns all that must be released at the end.
 */
import type { Backend } from "../routing/backend.ts";
import type { Log } from "../telemetry/log.ts";
import { type Answer, answerOf } from "./answer.ts";
import { type BodyWatch, type Opened, openAtFirstByte } from "./answer-body.ts";
import { AnswerWatch } from "./answer-watch.ts";
import type { Payload, Payloads } from "./body/payload.ts";
import type { RequestBody } from "./body/read-result.ts";
import type { BrokenAnswers } from "./broken-answers.ts";
import { type ConnectionPool, poolOf } from "./connections.ts";
import { coolMsOf, copyOf, isDeclined } from "./declined.ts";
import type { Attempt, Exchange } from "./exchange.ts";
import { type Failure, failureOf, isUnreachable } from "./failure.ts";
import { hasHttpInstead, sendsOverHttp, upgradeRequired } from "./handshake.ts";
import { upstreamHeaders } from "./headers.ts";
import { Realtime } from "./realtime.ts";
import { urlAt } from "./target.ts";
import type { Patience } from "./upstream-abort.ts";
import { type Asked, ask, requestInit } from "./upstream-fetch.ts";

/** Called with each passing piece of an answer. Must be quick, and must not change the piece. */
export type Passing = ((piece: Uint8Array) => void) | undefined;

export type SendInit = {
  readonly log: Log;
  readonly brokenAnswers: BrokenAnswers;
  readonly payloads: Payloads;
  readonly patience: Patience;
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
  /** Called when the head of a backend's answer has arrived. */
  readonly onAnswer: (exchange: Exchange, upstream: Response, backend: Backend) => Passing;
};

/** The result of a request to one backend. */
export type Sent =
  | { readonly kind: "answered"; readonly answer: Answer }
  /** The server answered 429 or 503, and another replica may take the request. */
  | {
      readonly kind: "declined";
      readonly status: number;
      /** Undefined if the answer is too long or too slow to copy. */
      readonly copy: Response | undefined;
    }
  | Failure;

/** How a request is sent. */
export type Manner = {
  readonly connection: "pooled" | "fresh";
  /** Holds the answer back until its first byte has arrived: until then another replica may take the request. */
  readonly keepsHead: boolean;
  /** Called when the server declines the request. Says whether another replica may take it. */
  readonly onDeclined: (coolMs: number) => boolean;
};

/**
 * A pooled connection that the server was closing fails at once. If it fails later than this, the server may have
 * worked on the request, and must not get it twice.
 */
const STALE_CONNECTION_MS = 100;

export class Sender {
  readonly #init: SendInit;
  readonly #realtime: Realtime;

  constructor(init: SendInit) {
    this.#init = init;
    this.#realtime = new Realtime({ ...init, runEndMs: init.patience.runEndMs });
  }

  /** Resolves when the answer has begun or the attempt has failed. @throws only on a bug of ours */
  async send(attempt: Attempt, body: RequestBody, manner: Manner): Promise<Sent> {
    const pool = poolOf(attempt.backend);
    // A body that can't be sent again needs a new connection: the server may be closing a pooled one.
    const pooled = manner.connection === "pooled" && body.kind !== "stream" ? pool : undefined;
    const { isHandshake } = attempt.exchange;
    const mayReuse = !isHandshake && pooled?.mayReuse === true; // a WebSocket has a connection of its own
    const payload = this.#init.payloads.of(body);
    attempt.owns(payload.release);
    const sentMs = performance.now();
    try {
      const asked = isHandshake
        ? await this.#realtime.open(attempt)
        : await this.#ask(attempt, payload, pooled);
      if (asked.kind === "upgraded") return UPGRADED;
      if (asked.kind !== "answer") {
        const mayBeStale = mayReuse && performance.now() - sentMs <= STALE_CONNECTION_MS;
        return fail(attempt, asked.error, mayBeStale);
      }
      const { upstream } = asked;
      if (isForHttp(attempt, upstream)) return sendOverHttp(attempt, upstream);
      const isHeld = manner.keepsHead || isDeclined(upstream);
      const held = isHeld ? await hold(attempt, upstream, manner) : NOT_HELD;
      if (held.kind !== "held") return held;
      const watch = this.#watch(attempt, upstream, pool);
      const { method } = attempt.exchange.request;
      const response = await answerOf(upstream, method, watch, held.opened);
      return { kind: "answered", answer: { by: "backend", response } };
    } catch (error) {
      attempt.failed(error);
      throw error;
    }
  }

  #ask(attempt: Attempt, payload: Payload, pool: ConnectionPool | undefined): Promise<Asked> {
    const { exchange, backend, call, signal } = attempt;
    const { request, target, client } = exchange;
    const headers = upstreamHeaders(request.headers, client.address, this.#init.pseudonym);
    call.trace(headers);
    return ask(
      urlAt(backend, target),
      requestInit(request.method, headers, payload, { signal, pool }),
    );
  }

  /**
   * Not inside `send()`: an object that lives as long as the answer keeps the parameters of its surrounding async
   * function, here the request's body (measured, 1.4.5).
   */
  #watch(attempt: Attempt, upstream: Response, pool: ConnectionPool): BodyWatch {
    const { exchange, backend, call } = attempt;
    exchange.answerBegins();
    const passing = both(this.#init.onAnswer(exchange, upstream, backend), call.answered(upstream));
    return new AnswerWatch({ attempt, pool, passing }, this.#init);
  }
}

const UPGRADED: Sent = { kind: "answered", answer: { by: "socket" } };

function isForHttp({ exchange: { isHandshake, target } }: Attempt, upstream: Response): boolean {
  return isHandshake && hasHttpInstead(target) && sendsOverHttp(upstream);
}

/** The server does not offer this WebSocket: tells the client to use HTTP. */
function sendOverHttp(attempt: Attempt, { status, headers }: Response): Sent {
  attempt.call.answered(new Response(null, { status, headers }));
  attempt.failed(Object.assign(new Error(`status ${status}`), { code: String(status) }));
  const why = `Cannot open the WebSocket: the server answered ${status}`;
  return { kind: "answered", answer: { by: "proxy", response: upgradeRequired(why) } };
}

type Held = { readonly kind: "held"; readonly opened?: Opened };

const NOT_HELD: Held = { kind: "held" };

/** A replica that declined, or sent only a head, has not answered yet: another replica may take the request. */
async function hold(
  attempt: Attempt,
  upstream: Response,
  { keepsHead, onDeclined }: Manner,
): Promise<Held | Sent> {
  if (isDeclined(upstream) && onDeclined(coolMsOf(upstream.headers, Date.now()))) {
    return decline(attempt, upstream);
  }
  const hasBody = upstream.body !== null && attempt.exchange.request.method !== "HEAD";
  if (!keepsHead || !hasBody) return NOT_HELD;
  attempt.waitFor("first byte");
  try {
    const opened = await openAtFirstByte(upstream.body);
    attempt.answering();
    return { kind: "held", opened };
  } catch (error) {
    return fail(attempt, error, false);
  }
}

async function decline(attempt: Attempt, upstream: Response): Promise<Sent> {
  const { status } = upstream;
  attempt.waitFor("read");
  attempt.call.answered(upstream);
  try {
    const copy = await copyOf(upstream);
    const error = Object.assign(new Error(`status ${status}`), { code: String(status) });
    attempt.watchClient();
    if (attempt.abortReason === "client gone") return fail(attempt, error, false);
    attempt.failed(error);
    return { kind: "declined", status, copy };
  } catch (error) {
    return fail(attempt, error, false); // the server died before its refusal was complete
  }
}

function fail(attempt: Attempt, error: unknown, mayBeStale: boolean): Failure {
  attempt.watchClient();
  const { abortReason, backend } = attempt;
  const failure = failureOf(error, { abortReason, mayBeStale, ending: backend.ending });
  if (isUnreachable(failure.kind)) backend.reportUnreachable(failure.kind);
  attempt.failed(error);
  return failure;
}

function both(one: Passing, other: Passing): Passing {
  if (one === undefined || other === undefined) return one ?? other;
  return (piece) => {
    one(piece);
    other(piece);
  };
}
