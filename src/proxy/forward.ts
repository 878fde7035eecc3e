/** One request to a backend, and its answer; what is tried again, and which failure becomes which answer. */
import { stackOf } from "../ground/error-stack.ts";
import type { Backend, Lease } from "../routing/backend.ts";
import type { Routes } from "../routing/routes.ts";
import type { Log } from "../telemetry/log.ts";
import type { CallReport, RequestReport } from "../telemetry/telemetry.ts";
import { answerOf } from "./answer.ts";
import type { BodyWatch } from "./answer-body.ts";
import type { Payloads } from "./body/payload.ts";
import type { RequestBody } from "./body/request-body.ts";
import { type ConnectionPool, poolOf } from "./connections.ts";
import { upstreamHeaders } from "./headers.ts";
import { clientGone, errorResponse, outOfDescriptors, quoteModel } from "./own/errors.ts";
import { type Target, urlAt } from "./target.ts";
import { type AbortReason, type Patience, UpstreamAbort } from "./upstream-abort.ts";
import { ask, hasCode, requestInit } from "./upstream-fetch.ts";

export type Outbound = {
  readonly request: Request;
  readonly target: Target;
  /** Undefined if the request names none and went to whoever there was. */
  readonly model: string | undefined;
  /** IP address of the client, for X-Forwarded-For. */
  readonly clientAddress: string | undefined;
  readonly report: RequestReport;
  /** Called once, when the answer's last byte is out or the request has failed. */
  readonly onEnd: () => void;
  /** Called when the answer's headers have come; shown each piece of its body as it passes. */
  readonly onAnswer: (
    upstream: Response,
    backend: Backend,
  ) => ((piece: Uint8Array) => void) | undefined;
};

export type Forwarded = {
  readonly response: Response;
  /** Whether the backend made it. */
  readonly fromBackend: boolean;
};

export type ForwardInit = {
  readonly routes: Routes;
  readonly log: Log;
  readonly patience: Patience;
  readonly payloads: Payloads;
  /** The proxy's name in `Via`. */
  readonly pseudonym: string;
};

/**
 * A connection of the pool that the server was just closing fails at once. Later than this it may
 * have been at work on the request, and must not get it twice.
 */
const STALE_CONNECTION_MS = 100;

/**
 * Sends the request and streams the answer. The lease ends with the body of the answer.
 * Must be called in the same step that took the lease.
 */
export async function forward(
  outbound: Outbound,
  body: RequestBody,
  lease: Lease,
  init: ForwardInit,
): Promise<Forwarded> {
  const failed = new Set<Backend>();
  const attempt = (taken: Lease, connection: "pooled" | "fresh"): Promise<Outcome> =>
    attemptOn({ outbound, body, connection }, taken, init);
  const elsewhere = ({ backend }: Lease): Lease | undefined => {
    if (outbound.model === undefined) return undefined;
    failed.add(backend);
    const route = init.routes.route(outbound.model, { failed });
    return route.kind === "routed" ? route.lease : undefined;
  };
  let on = lease;
  let outcome = await attempt(on, "pooled");
  while (outcome.kind === "stale connection" || outcome.kind === "connection refused") {
    // The same backend, unless it has begun to drain since. No await between here and attempt().
    const again = outcome.kind === "stale connection" ? on.backend.acquire() : undefined;
    const next = again ?? elsewhere(on);
    if (next === undefined) break;
    outbound.report.retry(outcome.kind);
    on = next;
    outcome = await attempt(on, "fresh");
  }
  if (outcome.kind === "answered") return { response: outcome.response, fromBackend: true };
  outbound.onEnd();
  const gone = outcome.reason === "client gone";
  const response = gone ? clientGone() : unreachable(outbound, on.backend, init.log, outcome);
  return { response, fromBackend: false };
}

type Failure = {
  /** `stale connection`: may be sent again. `connection refused`: nothing has been sent, another may do. */
  readonly kind: "failed" | "stale connection" | "connection refused";
  readonly error: unknown;
  readonly reason: AbortReason | undefined;
};

type Outcome = { readonly kind: "answered"; readonly response: Response } | Failure;

type Sending = {
  readonly outbound: Outbound;
  readonly body: RequestBody;
  readonly connection: "pooled" | "fresh";
};

/**
 * Ends the lease, unless there is an answer: then that does.
 *
 * @throws what is no failure of the backend's or the client's: a bug of ours
 */
async function attemptOn(
  { outbound, body, connection }: Sending,
  lease: Lease,
  { log, patience, payloads, pseudonym }: ForwardInit,
): Promise<Outcome> {
  const { request, target, clientAddress, report } = outbound;
  const { backend } = lease;
  const abort = new UpstreamAbort(request.signal, lease, patience);
  const call = report.call(backend);
  const pool = poolOf(backend);
  // Where the body can't be sent again, no connection may be used that the server may be closing.
  const pooled = connection === "pooled" && !(body instanceof ReadableStream);
  const mayBeStale = pooled && pool.mayReuse;
  const payload = payloads.of(body);
  const sentMs = performance.now();
  const failed = (error: unknown): void => {
    abort.abandon(); // an answer may have come that is of no use
    abort.release();
    payload.release();
    lease.end();
    call.failed(error, abort.reason);
  };
  try {
    const headers = upstreamHeaders(request.headers, clientAddress, pseudonym);
    call.trace(headers);
    const init = requestInit(request.method, headers, payload, {
      signal: abort.signal,
      pool: pooled ? pool : undefined,
    });
    const asked = await ask(urlAt(backend, target), init);
    if (asked.kind === "no answer") {
      const { error } = asked;
      if (abort.reason === undefined && hasCode(error, "ECONNREFUSED")) backend.refused();
      failed(error);
      const inTime = performance.now() - sentMs <= STALE_CONNECTION_MS;
      return failure(error, abort.reason, mayBeStale && inTime, body);
    }
    const { upstream } = asked;
    const passing = both(outbound.onAnswer(upstream, backend), call.answered(upstream));
    const watch = watchOf(
      { outbound, lease, abort, call, log, pool, release: payload.release },
      passing,
    );
    return { kind: "answered", response: await answerOf(upstream, request.method, watch) };
  } catch (error) {
    failed(error);
    throw error;
  }
}

type Answering = {
  readonly outbound: Outbound;
  readonly lease: Lease;
  readonly abort: UpstreamAbort;
  readonly call: CallReport;
  readonly log: Log;
  readonly pool: ConnectionPool;
  /** Of the request's body. */
  readonly release: () => void;
};

/**
 * Not inside `attemptOn`: what lives as long as the answer would keep the parameters of an async
 * function around it, and so the body of the request (measured, 1.4.5).
 */
function watchOf(
  { outbound, lease, abort, call, log, pool, release }: Answering,
  passing: Passing,
): BodyWatch {
  return {
    waitFor: (what) => abort.waitFor(what),
    passing,
    ended: (end) => {
      const { bytes, error, isBug } = end;
      abort.release();
      release();
      lease.end();
      outbound.onEnd();
      call.ended(end, abort.reason);
      if (isBug)
        log.error("an answer failed inside the proxy: please report this", {
          reason: stackOf(error),
        });
      if (error === undefined) pool.keep();
      else if (abort.reason !== "client gone")
        warnOfBreak(outbound, lease.backend, log, { bytes, why: abort.reason ?? error });
    },
  };
}

function failure(
  error: unknown,
  reason: AbortReason | undefined,
  mayBeStale: boolean,
  body: RequestBody,
): Failure {
  const atHand = !(body instanceof ReadableStream);
  const again = reason === undefined && atHand;
  if (again && hasCode(error, "ECONNREFUSED")) return { kind: "connection refused", error, reason };
  if (again && hasCode(error, "ECONNRESET") && mayBeStale)
    return { kind: "stale connection", error, reason };
  return { kind: "failed", error, reason };
}

type Passing = ((piece: Uint8Array) => void) | undefined;

function both(one: Passing, other: Passing): Passing {
  if (one === undefined || other === undefined) return one ?? other;
  return (piece) => {
    one(piece);
    other(piece);
  };
}

function warnOfBreak(
  { model }: Outbound,
  { name }: Backend,
  log: Log,
  { bytes, why }: { readonly bytes: number; readonly why: unknown },
): void {
  const fields = { container: name, model, bytes, reason: String(why) };
  log.warn("an answer broke off; its client's connection is aborted", fields);
}

function unreachable(
  { model }: Outbound,
  { name }: Backend,
  log: Log,
  { error, reason }: Failure,
): Response {
  const fields = { container: name, model, reason: reason ?? String(error) };
  log.warn("a request failed before its answer began", fields);
  if (hasCode(error, "EMFILE")) return outOfDescriptors("forward");
  const stopped = reason === "cut" || reason === "run-over";
  const what = stopped ? "was stopped before it answered" : "did not answer";
  return errorResponse(
    "backend_unreachable",
    `Cannot forward the request: the server ${model === undefined ? "" : `of model ${quoteModel(model)} `}${what}`,
  );
}
