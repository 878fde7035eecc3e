/** Bun.serve around the handler: connections that stay open while they are needed, and a graceful stop. */

import type { Client } from "./proxy/exchange.ts";
import type { Handler } from "./proxy/handler.ts";
import { errorResponse } from "./proxy/own/errors.ts";
import type { Log } from "./telemetry/log.ts";

export type ServerInit = {
  /** 0 takes any free port. */
  readonly port: number;
  /** IP address to listen on; undefined: all of them, of both families. */
  readonly host?: string | undefined;
  readonly handler: Handler;
  readonly log: Log;
  /** An idle client connection is closed after this, s. */
  readonly idleTimeoutS?: number;
  /** A client that is to send, and stays silent for so long, is disconnected, s. */
  readonly uploadSilenceS?: number;
};

export type ProxyServer = {
  readonly port: number;
  /**
   * Stops listening at once, lets requests in flight finish, and cuts what is left after `timeoutMs`.
   *
   * @returns how many requests were cut
   */
  readonly stop: (timeoutMs: number) => Promise<number>;
};

/**
 * Longer than any front proxy keeps an idle connection (Traefik 90 s, nginx 60 s): the one that may still
 * send a request must be the one that closes. A POST that meets our close is not sent again by anybody.
 */
export const IDLE_TIMEOUT_S = 120;
export const UPLOAD_SILENCE_S = 60;
/** Bun looks at its timeouts in steps of 4 s: one of 60 s may end after 56 s (measured, 1.4.5). */
const TIMEOUT_STEP_S = 4;
const STOP_POLL_MS = 10;

/** @throws if it can't listen there: the error has the system's `code` */
export function startServer(init: ServerInit): ProxyServer {
  const { port, host, handler, log } = init;
  const { idleTimeoutS = IDLE_TIMEOUT_S, uploadSilenceS = UPLOAD_SILENCE_S } = init;
  const open = new Set<Request>();
  const server = Bun.serve({
    port,
    ...(host !== undefined && { hostname: host }),
    idleTimeout: idleTimeoutS,
    maxRequestBodySize: Number.POSITIVE_INFINITY,
    development: false,
    reusePort: false, // else, with development off, a second proxy would share the port in silence
    fetch: (request) => handler(request, clientOf(request)),
    error: (error) => {
      log.error("a request failed inside the proxy: please report this", { reason: error.stack });
      return errorResponse("internal_error", "Cannot serve the request: the proxy failed");
    },
  });
  const clientOf = (request: Request): Client => {
    let isOver = false;
    return {
      // A socket for both families shows IPv4 addresses as IPv6 (RFC 4291 §2.5.5.2): no access rule expects that.
      address: withoutFamily(server.requestIP(request)?.address),
      expect: () => {
        open.delete(request);
        if (!isOver) server.timeout(request, uploadSilenceS + TIMEOUT_STEP_S);
      },
      keepOpen: () => {
        if (isOver) return;
        open.add(request);
        server.timeout(request, idleTimeoutS);
      },
      release: () => {
        isOver = true;
        open.delete(request);
        server.timeout(request, idleTimeoutS); // it may have been expected to send
      },
    };
  };
  // Bun closes a connection that has been silent for its timeout, whatever is still to come on it, and
  // 255 s is the most it takes. So open requests are given it anew, well before it is over.
  const renewal = setInterval(
    () => {
      for (const request of open) server.timeout(request, idleTimeoutS);
    },
    (idleTimeoutS * 1000) / 3,
  );

  return {
    port: server.port ?? port,
    stop: async (timeoutMs) => {
      // Not awaited: a client in the middle of its headers would hold it up for 12 s.
      void server.stop();
      const deadline = performance.now() + timeoutMs;
      while (server.pendingRequests > 0 && performance.now() < deadline) {
        await Bun.sleep(STOP_POLL_MS);
      }
      const cut = server.pendingRequests;
      clearInterval(renewal);
      void server.stop(true);
      return cut;
    },
  };
}

const IPV4_IN_IPV6 = "::ffff:";

function withoutFamily(address: string | undefined): string | undefined {
  return address?.startsWith(IPV4_IN_IPV6) ? address.slice(IPV4_IN_IPV6.length) : address;
}
