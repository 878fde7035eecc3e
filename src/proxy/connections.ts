/**
 * The connections to each backend. Each has a pool of its own, which is emptied when the backend
 * takes no new request and when its last lease ends: addresses are reused at once, and nothing of a
 * pool may outlive its container.
 */
import type { Backend } from "../routing/backend.ts";

/** uvicorn and cpp-httplib close idle connections after 5 s: be well before them. */
const IDLE_MS = 3_000;

export class ConnectionPool {
  readonly session = new Bun.FetchSession();
  #emptying: Timer | undefined;

  /** Whether a request may get a connection that has been used before, and that the server may just be closing. */
  get mayReuse(): boolean {
    return this.#emptying !== undefined;
  }

  /** A request has ended well: its connection is idle now, and goes in `IDLE_MS` at the latest. */
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

/** Under way, by backend: many requests that wait for a slow first token ask only once. */
const probes = new WeakMap<Backend, Promise<boolean>>();

/**
 * Whether a connection to the backend can be made: fetch does not tell a hanging connect from a slow
 * first token. A refusal counts as reachable: a server that is stopping closes its listener first and
 * goes on answering.
 */
export function isReachable(backend: Backend, timeoutMs: number): Promise<boolean> {
  const known = probes.get(backend);
  if (known !== undefined) return known;
  const probe = tryConnect(backend.origin, timeoutMs).finally(() => probes.delete(backend));
  probes.set(backend, probe);
  return probe;
}

/** By `node:net`, whose attempts can be given up; loaded with the first of them, for it is 5 MiB. */
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
