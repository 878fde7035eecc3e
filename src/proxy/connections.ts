/**
 * The connections to each backend. Each backend has a pool of its own. The pool is emptied when the backend
 * takes no new request, and again when its last lease ends: Docker reuses addresses at once, so no
 * connection may outlive its container. Sends no requests.
 */
import type { Backend } from "../routing/backend.ts";

/** uvicorn and cpp-httplib close idle connections after 5 s: we close them well before that. */
const IDLE_MS = 3_000;

export class ConnectionPool {
  readonly session = new Bun.FetchSession();
  #emptying: Timer | undefined;

  /** True if a request may get a used connection, which the server may just be closing. */
  get mayReuse(): boolean {
    return this.#emptying !== undefined;
  }

  /** Called when a request has ended well: its connection is idle now, and is closed within `IDLE_MS`. */
  keep(): void {
    this.#emptying ??= setTimeout(() => this.empty(), IDLE_MS);
  }

  empty(): void {
    clearTimeout(this.#emptying);
    this.#emptying = undefined;
    this.session.close();
  }
}

const pools = new WeakMap<Backend, ConnectionPool>();

export function poolOf(backend: Backend): ConnectionPool {
  const known = pools.get(backend);
  if (known !== undefined) return known;
  const pool = new ConnectionPool();
  pools.set(backend, pool);
  const empty = (): void => pool.empty();
  backend.left.addEventListener("abort", empty);
  backend.idle.then(empty, empty);
  return pool;
}

/** Probes under way. Many requests that wait for a slow first token share one. */
const probes = new WeakMap<Backend, Promise<boolean>>();

/**
 * Tries whether a connection to the backend can be made: fetch does not tell a hanging connect from a slow
 * first token. A refused connection counts as reachable: a server that stops closes its listener first and
 * goes on answering.
 */
export function isReachable(backend: Backend, timeoutMs: number): Promise<boolean> {
  const known = probes.get(backend);
  if (known !== undefined) return known;
  const probe = tryConnect(backend.origin, timeoutMs).finally(() => probes.delete(backend));
  probes.set(backend, probe);
  return probe;
}

/** Uses `node:net`, whose attempts can be given up. It takes 5 MiB, and is loaded by the first attempt. */
async function tryConnect(origin: string, timeoutMs: number): Promise<boolean> {
  const { connect } = await import("node:net");
  const { hostname, port } = new URL(origin);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
  const timer = setTimeout(() => resolve(false), timeoutMs);
  socket.once("connect", () => resolve(true));
  socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
