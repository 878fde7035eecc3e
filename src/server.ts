/** Bun.serve around the handler: connections that stay open while they are needed, and a graceful stop. */
import { errorResponse } from "./proxy/errors.ts";
import type { Client, Handler } from "./proxy/handler.ts";
import type { Log } from "./telemetry/log.ts";

export type ServerInit = {
  /** 0 takes any free port. */
  readonly port: number;
  readonly handler: Handler;
  readonly log: Log;
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

/** An idle client connection is closed after this. */
const IDLE_TIMEOUT_S = 60;
/**
 * Bun closes a connection that has been silent for its timeout, whatever is still to come on it
 * (255 s at most). So those of open requests are given another timeout, well before it is over.
 */
const RENEW_INTERVAL_MS = 20_000;
const STOP_POLL_MS = 10;

/** @throws if the port is taken */
export function startServer({ port, handler, log }: ServerInit): ProxyServer {
  const open = new Set<Request>();
  const server = Bun.serve({
    port,
    idleTimeout: IDLE_TIMEOUT_S,
    maxRequestBodySize: Number.POSITIVE_INFINITY,
    development: false,
    fetch: (request) => handler(request, clientOf(request)),
    error: (error) => {
      log.error("a request failed inside the proxy: please report this", { reason: error.stack });
      return errorResponse("internal_error", "Cannot serve the request: the proxy failed");
    },
  });
  const clientOf = (request: Request): Client => ({
    // A socket for both families shows IPv4 addresses as IPv6 (RFC 4291 §2.5.5.2): no access rule expects that.
    address: server.requestIP(request)?.address.replace(/^::ffff:/, ""),
    hold: () => {
      open.add(request);
      server.timeout(request, IDLE_TIMEOUT_S);
    },
    release: () => open.delete(request),
  });
  const renewal = setInterval(() => {
    for (const request of open) server.timeout(request, IDLE_TIMEOUT_S);
  }, RENEW_INTERVAL_MS);

  return {
    port: server.port ?? port,
    stop: async (timeoutMs) => {
      // Not awaited: a client in the middle of its headers would hold it up for 12 s.
      const stopped = server.stop();
      stopped.catch(() => undefined);
      const deadline = performance.now() + timeoutMs;
      while (server.pendingRequests > 0 && performance.now() < deadline) {
        await Bun.sleep(STOP_POLL_MS);
      }
      const cut = server.pendingRequests;
      clearInterval(renewal);
      const forced = server.stop(true);
      forced.catch(() => undefined);
      return cut;
    },
  };
}
