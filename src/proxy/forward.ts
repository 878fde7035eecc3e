/** One request to a backend, and its answer; what is tried again, and which failure becomes which answer. */
import type { Backend, Lease } from "../routing/backend.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Log } from "../telemetry/log.ts";
import { answerOf } from "./answer.ts";
import { type ConnectionPool, poolOf } from "./connections.ts";
import { clientGone, errorResponse, overloaded, quoteModel } from "./errors.ts";
import { upstreamHeaders } from "./headers.ts";
import type { RequestBody } from "./request-body.ts";
import type { Target } from "./target.ts";
import { type AbortReason, type Patience, UpstreamAbort } from "./upstream-abort.ts";

export type Outbound = {
  readonly request: Request;
  readonly target: Target;
  readonly model: string;
  readonly body: RequestBody;
  /** IP address of the client, for X-Forwarded-For. */
  readonly clientAddress: string | undefined;
  /** Called once, when the answer's last byte is out or the request has failed. */
  readonly onEnd: () => void;
};

export type ForwardInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  readonly patience: Patience;
};

/** Path prefix of the public surface, which the backend's own base path replaces. */
const PUBLIC_PREFIX = "/v1";

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
  lease: Lease,
  init: ForwardInit,
): Promise<Response> {
  const tried = new Set<Backend>();
  let outcome = await attempt(outbound, lease, init, "pooled");
  if (outcome.kind === "stale connection") {
    const again = lease.backend.acquire(); // unless it has begun to drain since
    if (again !== undefined) outcome = await attempt(outbound, again, init, "fresh");
  }
  let { backend } = lease;
  while (outcome.kind === "refused") {
    tried.add(backend);
    const route = init.table.route(outbound.model, tried); // no await between here and attempt()
    if (route.kind !== "routed") break;
    ({ backend } = route.lease);
    outcome = await attempt(outbound, route.lease, init, "fresh");
  }
  if (outcome.kind === "answered") return outcome.response;
  outbound.onEnd();
  if (outcome.reason === "client gone") return clientGone();
  return unreachable(outbound, backend, init.log, outcome);
}

type Failure = {
  /** `stale connection`: may be sent again. `refused`: nothing has been sent, another backend may do. */
  readonly kind: "failed" | "stale connection" | "refused";
  readonly error: unknown;
  readonly reason: AbortReason | undefined;
};

type Outcome = { readonly kind: "answered"; readonly response: Response } | Failure;

/** Ends the lease, unless there is an answer: then that does. */
async function attempt(
  outbound: Outbound,
  lease: Lease,
  { log, patience }: ForwardInit,
  connection: "pooled" | "fresh",
): Promise<Outcome> {
  const abort = new UpstreamAbort(outbound.request.signal, lease, patience);
  const pool = poolOf(lease.backend);
  // Where the body can't be sent again, no connection may be used that the server may be closing.
  const pooled = connection === "pooled" && !(outbound.body instanceof ReadableStream);
  const mayBeStale = pooled && pool.mayReuse;
  const sentMs = performance.now();
  try {
    const upstream = await send(outbound, lease.backend, abort.signal, pooled ? pool : undefined);
    const response = await answerOf(upstream, outbound.request.method, {
      waitFor: (what) => abort.waitFor(what),
      ended: ({ bytes, error }) => {
        abort.release();
        lease.end();
        outbound.onEnd();
        if (error === undefined) pool.keep();
        else if (abort.reason !== "client gone")
          warnOfBreak(outbound, lease.backend, log, { bytes, why: abort.reason ?? error });
      },
    });
    return { kind: "answered", response };
  } catch (error) {
    abort.abandon(); // an answer may have come that is of no use
    abort.release();
    lease.end();
    const inTime = performance.now() - sentMs <= STALE_CONNECTION_MS;
    return failure(error, abort.reason, mayBeStale && inTime, outbound.body);
  }
}

function failure(
  error: unknown,
  reason: AbortReason | undefined,
  mayBeStale: boolean,
  body: RequestBody,
): Failure {
  const atHand = !(body instanceof ReadableStream);
  const again = reason === undefined && atHand;
  if (again && hasCode(error, "ECONNREFUSED")) return { kind: "refused", error, reason };
  if (again && hasCode(error, "ECONNRESET") && mayBeStale)
    return { kind: "stale connection", error, reason };
  return { kind: "failed", error, reason };
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function send(
  { request, target, body, clientAddress }: Outbound,
  { origin, basePath }: Backend,
  signal: AbortSignal,
  pool: ConnectionPool | undefined,
): Promise<Response> {
  return fetch(`${origin}${basePath}${target.path.slice(PUBLIC_PREFIX.length)}${target.query}`, {
    method: request.method,
    headers: upstreamHeaders(request.headers, clientAddress),
    body: body ?? null,
    redirect: "manual",
    decompress: false,
    timeout: false, // no limit of ours on a slow first token or a silent stream
    proxy: false,
    signal,
    ...(pool === undefined ? { keepalive: false } : { session: pool.session }),
  });
}

function warnOfBreak(
  { model }: Outbound,
  { containerName }: Backend,
  log: Log,
  { bytes, why }: { readonly bytes: number; readonly why: unknown },
): void {
  const fields = { container: containerName, model, bytes, reason: String(why) };
  log.warn("an answer broke off; its client's connection is aborted", fields);
}

function unreachable(
  { model }: Outbound,
  { containerName }: Backend,
  log: Log,
  { error, reason }: Failure,
): Response {
  const fields = { container: containerName, model, reason: reason ?? String(error) };
  log.warn("a request failed before its answer began", fields);
  if (hasCode(error, "EMFILE")) {
    return overloaded(
      "Cannot forward the request: the proxy is out of file descriptors; try again shortly",
    );
  }
  const stopped = reason === "cut" || reason === "run-over";
  const what = stopped ? "was stopped before it answered" : "did not answer";
  return errorResponse(
    "backend_unreachable",
    `Cannot forward the request: the server of model ${quoteModel(model)} ${what}`,
  );
}
