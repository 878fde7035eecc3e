/** One request to one backend, and its answer; which failure becomes which answer. */
import type { Lease } from "../routing/backend.ts";
import type { Log } from "../telemetry/log.ts";
import { watchBody } from "./body.ts";
import { clientGone, errorResponse, quoteModel } from "./errors.ts";
import { endToEndHeaders, upstreamHeaders } from "./headers.ts";
import type { RequestBody } from "./request-body.ts";
import { sessionOf } from "./sessions.ts";
import type { Target } from "./target.ts";
import { type Patience, UpstreamAbort } from "./upstream-abort.ts";

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

/** Path prefix of the public surface, which the backend's own base path replaces. */
const PUBLIC_PREFIX = "/v1";

/**
 * Sends the request and streams the answer. The lease ends with the body of the answer.
 * Must be called in the same step that took the lease.
 */
export async function forward(
  outbound: Outbound,
  lease: Lease,
  log: Log,
  patience: Patience,
): Promise<Response> {
  const abort = new UpstreamAbort(outbound.request.signal, lease, patience);
  const end = (): void => {
    abort.release();
    lease.end();
    outbound.onEnd();
  };
  try {
    const upstream = await send(outbound, lease, abort.signal);
    return answer(upstream, { outbound, lease, log, abort, end });
  } catch (error) {
    abort.abandon(); // an answer may have come that is of no use
    end();
    if (abort.reason === "client gone") {
      return clientGone();
    }
    return unreachable(outbound, lease, log, { error, reason: abort.reason });
  }
}

function send(outbound: Outbound, lease: Lease, signal: AbortSignal): Promise<Response> {
  const { request, target, body } = outbound;
  const { origin, basePath } = lease.backend;
  return fetch(`${origin}${basePath}${target.path.slice(PUBLIC_PREFIX.length)}${target.query}`, {
    method: request.method,
    headers: upstreamHeaders(request.headers, outbound.clientAddress),
    body: body ?? null,
    redirect: "manual",
    decompress: false,
    timeout: false, // no limit of ours on a slow first token or a silent stream
    proxy: false,
    session: sessionOf(lease.backend),
    signal,
  });
}

type Exchange = {
  readonly outbound: Outbound;
  readonly lease: Lease;
  readonly log: Log;
  readonly abort: UpstreamAbort;
  readonly end: () => void;
};

/** @throws {RangeError} if the backend's status is none (100–199 and 600 up) */
function answer(upstream: Response, exchange: Exchange): Response {
  const { outbound, lease, log, abort, end } = exchange;
  const init = { status: upstream.status, headers: endToEndHeaders(upstream.headers) };
  if (upstream.body === null || outbound.request.method === "HEAD") {
    const response = new Response(null, init);
    end();
    return response;
  }
  const body = watchBody(upstream.body, {
    waitFor: (what) => abort.waitFor(what),
    ended: ({ bytes, error }) => {
      end();
      if (error === undefined || abort.reason === "client gone") return;
      log.warn("an answer broke off; its client's connection is aborted", {
        container: lease.backend.containerName,
        model: outbound.model,
        bytes,
        reason: abort.reason ?? String(error),
      });
    },
  });
  const response = new Response(body, init);
  abort.waitFor("client");
  return response;
}

function unreachable(
  outbound: Outbound,
  lease: Lease,
  log: Log,
  failure: { readonly error: unknown; readonly reason: string | undefined },
): Response {
  log.warn("a request failed before its answer began", {
    container: lease.backend.containerName,
    model: outbound.model,
    reason: failure.reason ?? String(failure.error),
  });
  const what = failure.reason === undefined ? "did not answer" : "was stopped before it answered";
  return errorResponse(
    "backend_unreachable",
    `Cannot forward the request: the server of model ${quoteModel(outbound.model)} ${what}`,
  );
}
