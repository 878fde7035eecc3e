/**
 * Runs Bun.serve around the handler: keeps connections open while a request needs them, and stops gracefully.
 * The handler decides the answers.
 */

import type { Client } from "./proxy/exchange.ts";
import type { Handler } from "./proxy/handler.ts";
import { errorResponse } from "./proxy/own/errors.ts";
import {
  ClientSockets,
  type ClientSocketsInit,
  type SocketEntry,
  type SocketListener,
} from "./proxy/socket/client-sockets.ts";
import { bugFields } from "./telemetry/bug-report.ts";
import type { Log } from "./telemetry/log.ts";

export type ServerInit = {
  /** 0: any free port. */
  readonly port: number;
  /** IP address to listen on; undefined: all IPv4 and IPv6 addresses. */
  readonly host?: string | undefined;
  readonly handler: Handler;
  readonly log: Log;
  /** How long a client's connection may be idle before the proxy closes it, s. */
  readonly idleTimeoutS?: number;
  readonly sockets?: ClientSocketsInit;
  /** How long a client may be silent during an upload before the proxy disconnects it, s. */
  readonly uploadSilenceS?: number;
};

export type ProxyServer = {
  readonly port: number;
  /**
   * Stops listening at once, lets requests in flight finish, and cuts the rest after `timeoutMs`.
   *
   * @returns how many requests were cut
   */
  readonly stop: (timeoutMs: number) => Promise<number>;
};

/**
 * Longer than any front proxy keeps an idle connection (Traefik 90 s, nginx 60 s). The side that may still
 * send a request must be the one that closes. If we close while a POST is on its way, no client sends it
 * again.
 */
export const IDLE_TIMEOUT_S = 120;
export const UPLOAD_SILENCE_S = 60;
/** Bun checks its timeouts every 4 s, so one of 60 s may end after 56 s (measured, 1.4.5). */
const TIMEOUT_STEP_S = 4;
const STOP_POLL_MS = 10;
/** How long cut WebSockets may take to send their clients the reason, ms. */
const LAST_WORDS_MS = 200;

/** @throws if it cannot listen there; the error has the system's `code` */
export function startServer(init: ServerInit): ProxyServer {
  const { port, host, handler, log } = init;
  const { idleTimeoutS = IDLE_TIMEOUT_S, uploadSilenceS = UPLOAD_SILENCE_S } = init;
  const open = new Set<Request>();
  const sockets = new ClientSockets(init.sockets);
  const server: Bun.Server<SocketEntry> = Bun.serve({
    port,
    ...(host !== undefined && { hostname: host }),
    idleTimeout: idleTimeoutS,
    maxRequestBodySize: Number.POSITIVE_INFINITY,
    development: false,
    reusePort: false, // the default is true without development; a second proxy would then silently share the port
    fetch: (request) => handler(request, new ClientConnection(request, connections)),
    websocket: sockets.handler,
    error: (error) => {
      log.error("internal error", bugFields("while it served a request", error));
      return errorResponse("internal_error", "Cannot serve the request: the proxy failed");
    },
  });
  const connections = { server, open, sockets, idleTimeoutS, uploadSilenceS };
  // Bun closes a silent connection after its timeout, even before the answer, and allows at most 255 s.
  // So this renews the timeout of open requests well before it expires.
  const renewal = setInterval(
    () => {
      for (const request of open) server.timeout(request, idleTimeoutS);
    },
    (idleTimeoutS * 1000) / 3,
  );

  return {
    port: server.port ?? port,
    stop: (timeoutMs) => {
      return stop(server, sockets, timeoutMs).finally(() => clearInterval(renewal));
    },
  };
}

/** The state that all client connections share. */
type Connections = {
  readonly server: Pick<Bun.Server<SocketEntry>, "requestIP" | "timeout" | "upgrade">;
  /** Requests whose connection stays open. */
  readonly open: Set<Request>;
  readonly sockets: ClientSockets;
  readonly idleTimeoutS: number;
  readonly uploadSilenceS: number;
};

/**
 * The connection of a request. Bun restarts its idle timeout when a request arrives and when its answer has
 * ended (measured, 1.4.5). So this class sets the timeout only when it must differ.
 */
class ClientConnection implements Client {
  readonly #request: Request;
  readonly #all: Connections;
  /** The idle timeout is the one for uploads now. */
  #isExpected = false;
  #isOver = false;

  constructor(request: Request, all: Connections) {
    this.#request = request;
    this.#all = all;
  }

  /** A dual-stack socket shows IPv4 addresses as IPv6 (RFC 4291 §2.5.5.2). No access rule expects this form. */
  get address(): string | undefined {
    return withoutFamily(this.#all.server.requestIP(this.#request)?.address);
  }

  upgrade(headers: Headers, listener: SocketListener): boolean {
    const { server, open, sockets } = this.#all;
    open.delete(this.#request);
    return server.upgrade(this.#request, { headers, data: sockets.entryOf(listener) });
  }

  expect(): void {
    if (this.#isOver) return;
    const { server, open, uploadSilenceS } = this.#all;
    open.delete(this.#request);
    this.#isExpected = true;
    server.timeout(this.#request, uploadSilenceS + TIMEOUT_STEP_S);
  }

  keepOpen(): void {
    if (this.#isOver) return;
    this.#all.open.add(this.#request);
    this.#expectNoMore();
  }

  release(): void {
    this.#isOver = true;
    this.#all.open.delete(this.#request);
    this.#expectNoMore();
  }

  #expectNoMore(): void {
    if (!this.#isExpected) return;
    this.#isExpected = false;
    this.#all.server.timeout(this.#request, this.#all.idleTimeoutS);
  }
}

type Server = Pick<Bun.Server<unknown>, "pendingRequests" | "stop">;

async function stop(server: Server, sockets: ClientSockets, timeoutMs: number): Promise<number> {
  // Not awaited: a client in the middle of its headers would delay it by 12 s.
  void server.stop();
  const underWay = (): number => server.pendingRequests + sockets.count;
  await noneLeft(underWay, timeoutMs);
  const cut = underWay();
  sockets.stop();
  if (sockets.count > 0) await noneLeft(underWay, LAST_WORDS_MS);
  void server.stop(true);
  return cut;
}

/** Resolves when the last request has ended or the time is up. */
async function noneLeft(underWay: () => number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (underWay() > 0 && performance.now() < deadline) await Bun.sleep(STOP_POLL_MS);
}

const IPV4_IN_IPV6 = "::ffff:";

function withoutFamily(address: string | undefined): string | undefined {
  return address?.startsWith(IPV4_IN_IPV6) ? address.slice(IPV4_IN_IPV6.length) : address;
}
