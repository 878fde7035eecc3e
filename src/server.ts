/** Bun.serve around the handler: connections that stay open while they are needed, and a graceful stop. */
import { errorResponse } from "./proxy/errors.ts";
import type { Client, Handler } from "./proxy/handler.ts";
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

export const IDLE_TIMEOUT_S = 60;
const STOP_POLL_MS = 10;

/** @throws if it can't listen there: the error has the system's `code` */
export function startServer(init: ServerInit): ProxyServer {
  const { port, host, handler, log, idleTimeoutS = IDLE_TIMEOUT_S } = init;
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
  const clientOf = (request: Request): Client => ({
    // A socket for both families shows IPv4 addresses as IPv6 (RFC 4291 §2.5.5.2): no access rule expects that.
    address: withoutFamily(server.requestIP(request)?.address),
    hold: () => {
      open.add(request);
      server.timeout(request, idleTimeoutS);
    },
    release: () => open.delete(request),
  });
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
