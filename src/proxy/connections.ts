/**
 * The connections to each backend, in one pool for each backend. The proxy empties the pool when the backend takes no
 * new requests, and again when its last lease ends: Docker reuses addresses at once, so no connection may outlive
 * its container. Sends no requests.
 */
import { tryConnect } from "../ground/connect.ts";
import type { Backend } from "../routing/backend.ts";

/** uvicorn and cpp-httplib close idle connections after 5 s. We close them well before that. */
const IDLE_MS = 3_000;

export class ConnectionPool {
  readonly session = new Bun.FetchSession();
  #emptying: Timer | undefined;

  /** True if a request may get a used connection. The server may be closing it at this moment. */
  get mayReuse(): boolean {
    return this.#emptying !== undefined;
  }

  /** Called when a request succeeded: its connection is idle now. We close it within `IDLE_MS`. */
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

/** An attempt to connect to a backend, to see whether it is reachable. */
export type Try = {
  /** By `performance.now()`. */
  readonly beganMs: number;
  readonly reached: Promise<boolean>;
};

type KnownTry = Try & { isOpen: boolean };

/** The last try for each backend. All requests that wait for a slow first token share it. */
const tries = new WeakMap<Backend, KnownTry>();

/**
 * Tries to connect to the backend: fetch cannot tell a hanging connect from a slow first token. A refused connection
 * counts as reachable: a stopping server closes its listener first and still finishes its answers.
 *
 * @param freshMs reuses a try that began less than this ago; 0: only a try that is still running
 */
export function tryToReach(backend: Backend, timeoutMs: number, freshMs = 0): Try {
  const beganMs = performance.now();
  const known = tries.get(backend);
  if (known !== undefined && (known.isOpen || beganMs - known.beganMs < freshMs)) return known;
  const reached = tryConnect(backend.origin, timeoutMs).then((outcome) => {
    one.isOpen = false;
    // "failed" says nothing about the server's machine, so a machine that may vanish keeps its requests.
    if (outcome === "failed") return backend.mayVanish;
    return outcome === "connected" || outcome === "refused";
  });
  const one: KnownTry = { beganMs, reached, isOpen: true };
  tries.set(backend, one);
  return one;
}
