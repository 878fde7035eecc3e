/**
 * The connections to each backend. Each backend has a pool of its own. The pool is emptied when the backend
 * takes no new request, and again when its last lease ends: Docker reuses addresses at once, so no
 * connection may outlive its container. Sends no requests.
 */
import { tryConnect } from "../ground/connect.ts";
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

/** A try whether a connection to a backend can be made. */
export type Try = {
  /** By `performance.now()`. */
  readonly beganMs: number;
  readonly reached: Promise<boolean>;
};

type KnownTry = Try & { isOpen: boolean };

/** The last try of each backend. Many requests that wait for a slow first token share one. */
const tries = new WeakMap<Backend, KnownTry>();

/**
 * Tries whether a connection to the backend can be made: fetch does not tell a hanging connect from a slow
 * first token. A refused connection counts as reachable: a server that stops closes its listener first and
 * goes on answering.
 *
 * @param freshMs a try that began less than this ago counts; 0: only one that is under way
 */
export function tryToReach(backend: Backend, timeoutMs: number, freshMs = 0): Try {
  const beganMs = performance.now();
  const known = tries.get(backend);
  if (known !== undefined && (known.isOpen || beganMs - known.beganMs < freshMs)) return known;
  const reached = tryConnect(backend.origin, timeoutMs).then((outcome) => {
    one.isOpen = false;
    // What says nothing of a machine that may vanish must not take its requests away.
    if (outcome === "failed") return backend.mayVanish;
    return outcome === "connected" || outcome === "refused";
  });
  const one: KnownTry = { beganMs, reached, isOpen: true };
  tries.set(backend, one);
  return one;
}
