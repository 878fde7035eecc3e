/**
 * Sends a request to a backend over HTTP and streams its answer; says what is tried again, and where. What
 * must be let go of at the end belongs to the exchange; `failure.ts` says what a failure means.
 */

import { stackOf } from "../ground/error-stack.ts";
import { errorCode } from "../ground/error-text.ts";
import type { Backend, Lease } from "../routing/backend.ts";
import type { Routes } from "../routing/routes.ts";
import type { Log } from "../telemetry/log.ts";
import { answerOf } from "./answer.ts";
import type { BodyWatch } from "./answer-body.ts";
import type { Payload, Payloads } from "./body/payload.ts";
import type { RequestBody } from "./body/request-body.ts";
import { type ConnectionPool, poolOf } from "./connections.ts";
import type { Attempt, Exchange } from "./exchange.ts";
import { type Circumstances, type Failure, failureOf, failureResponse } from "./failure.ts";
import { upstreamHeaders } from "./headers.ts";
import { urlAt } from "./target.ts";
import type { Patience } from "./upstream-abort.ts";
import { type Asked, ask, requestInit } from "./upstream-fetch.ts";

/** The answer to a request, and who made it. */
export type Answer = { readonly response: Response; readonly by: "backend" | "proxy" };

/** Is shown each piece of an answer as it passes; must be quick, and must not change it. */
export type Passing = ((piece: Uint8Array) => void) | undefined;

export type ForwardInit = {
  readonly routes: Routes;
  readonly log: Log;
  readonly patience: Patience;
  readonly payloads: Payloads;
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
  /** Called when the head of a backend's answer has come. */
  readonly onAnswer: (exchange: Exchange, upstream: Response, backend: Backend) => Passing;
};

/**
 * A connection of the pool that the server was just closing fails at once. Later than this it may
 * have been at work on the request, and must not get it twice.
 */
const STALE_CONNECTION_MS = 100;

type AttemptResult = { readonly kind: "answered"; readonly response: Response } | Failure;

export class Forwarder {
  readonly #init: ForwardInit;

  constructor(init: ForwardInit) {
    this.#init = init;
  }

  /**
   * Resolves when the answer has begun; the lease ends with its body. Must be called in the same step that
   * took the lease.
   *
   * @throws what is no failure of the backend's or the client's: a bug of ours
   */
  async forward(exchange: Exchange, body: RequestBody, first: Lease): Promise<Answer> {
    const failed = new Set<Backend>();
    let { backend } = first;
    let result = await this.#attempt(exchange.attempt(first, this.#init.patience), body, "pooled");
    while (result.kind === "stale connection" || result.kind === "connection refused") {
      // The same backend, unless it has begun to drain since.
      const again = result.kind === "stale connection" ? backend.acquire() : undefined;
      const lease = again ?? this.#elsewhere(exchange, failed.add(backend));
      if (lease === undefined) break;
      exchange.report.retry(result.kind);
      ({ backend } = lease);
      result = await this.#attempt(exchange.attempt(lease, this.#init.patience), body, "fresh");
    }
    if (result.kind === "answered") {
      exchange.bodyIsSent();
      return { response: result.response, by: "backend" };
    }
    this.#warnOfFailure(exchange, backend, result);
    return { response: failureResponse(result, exchange.asked), by: "proxy" };
  }

  /** Asks only those that know the model by the name in the request. */
  #elsewhere({ asked }: Exchange, failed: ReadonlySet<Backend>): Lease | undefined {
    if (asked === undefined) return undefined;
    const route = this.#init.routes.route(asked, { failed });
    return route.kind === "routed" ? route.lease : undefined;
  }

  async #attempt(
    attempt: Attempt,
    body: RequestBody,
    connection: "pooled" | "fresh",
  ): Promise<AttemptResult> {
    const pool = poolOf(attempt.backend);
    const canResend = body.kind !== "stream";
    // Where the body can't be sent again, no connection may be used that the server may be closing.
    const pooled = connection === "pooled" && canResend ? pool : undefined;
    const mayReuse = pooled?.mayReuse === true;
    const payload = this.#init.payloads.of(body);
    attempt.owns(payload.release);
    const sentMs = performance.now();
    try {
      const asked = await this.#send(attempt, payload, pooled);
      if (asked.kind === "answer") {
        const { upstream } = asked;
        const watch = this.#watch(attempt, upstream, pool);
        const { method } = attempt.exchange.request;
        return { kind: "answered", response: await answerOf(upstream, method, watch) };
      }
      const mayBeStale = mayReuse && performance.now() - sentMs <= STALE_CONNECTION_MS;
      return fail(attempt, asked.error, { canResend, mayBeStale });
    } catch (error) {
      attempt.failed(error);
      throw error;
    }
  }

  #send(attempt: Attempt, payload: Payload, pool: ConnectionPool | undefined): Promise<Asked> {
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
   * Not inside `#attempt`: what lives as long as the answer would keep the parameters of an async
   * function around it, and so the body of the request (measured, 1.4.5).
   */
  #watch(attempt: Attempt, upstream: Response, pool: ConnectionPool): BodyWatch {
    const { exchange, backend, call } = attempt;
    const { log, onAnswer } = this.#init;
    exchange.answerBegins();
    return {
      waitFor: (whom) => attempt.waitFor(whom),
      passing: both(onAnswer(exchange, upstream, backend), call.answered(upstream)),
      ended: (end) => {
        const { bytes, error, isBug } = end;
        const ending = attempt.ended(end);
        if (isBug)
          log.error("an answer failed inside the proxy: please report this", {
            reason: stackOf(error),
          });
        if (error === undefined) pool.keep();
        if (ending === "broken off")
          log.warn("an answer broke off; its client's connection is aborted", {
            container: backend.name,
            model: exchange.model,
            bytes,
            reason: String(attempt.abortReason ?? error),
          });
      },
    };
  }

  #warnOfFailure({ model }: Exchange, { name }: Backend, { error, abortReason }: Failure): void {
    if (abortReason === "client gone") return;
    const fields = { container: name, model, reason: abortReason ?? String(error) };
    this.#init.log.warn("a request failed before its answer began", fields);
  }
}

function fail(
  attempt: Attempt,
  error: unknown,
  circumstances: Omit<Circumstances, "abortReason">,
): Failure {
  const { abortReason, backend } = attempt;
  if (abortReason === undefined && errorCode(error) === "ECONNREFUSED") backend.reportRefusal();
  attempt.failed(error);
  return failureOf(error, { abortReason, ...circumstances });
}

function both(one: Passing, other: Passing): Passing {
  if (one === undefined || other === undefined) return one ?? other;
  return (piece) => {
    one(piece);
    other(piece);
  };
}
