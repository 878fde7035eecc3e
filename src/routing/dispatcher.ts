/**
 * Takes a lease for a request on one of the backends that serve its model: on the newest, or on the replica
 * that `choose.ts` chooses. Keeps the state that the choice needs between requests. Does not look models up.
 */
import type { Backend } from "./backend.ts";
import { Chooser, hasFailed } from "./choose.ts";
import { type HashBlock, PrefixMemories } from "./prefixes.ts";
import type { Asking, Routed, Saturated } from "./routes.ts";
import { isSameRun } from "./run.ts";

/** The backends that serve a model. */
export type Servers = {
  /** The id that the newest backend lists for it. */
  readonly id: string;
  /** Newest first, including draining ones. */
  readonly backends: readonly Backend[];
  /** The backends that share its requests, newest first. Undefined if the newest active backend takes all. */
  readonly replicas: readonly Backend[] | undefined;
};

export type DispatcherInit = {
  /** ms, from a clock that never goes back. */
  readonly now?: () => number;
  readonly hash?: HashBlock;
};

/** Undefined if all backends are draining or have failed the request. */
export type Taken = Routed | Saturated | undefined;

const SATURATED = { kind: "saturated" } as const;

export class Dispatcher {
  readonly #now: () => number;
  readonly #chooser: Chooser;
  readonly #memories = new PrefixMemories();

  constructor({ now = () => performance.now(), hash }: DispatcherInit = {}) {
    this.#now = now;
    this.#chooser = new Chooser(hash);
  }

  take(servers: Servers, asking: Asking): Taken {
    const { backends, replicas } = servers;
    if (replicas === undefined) return firstOf(backends, asking.failed);
    const { failed, madeBy, goesToNewest } = asking;
    const maker = madeBy && backends.filter(({ run }) => isSameRun(run, madeBy));
    if (maker !== undefined && maker.length > 0) return this.newestOf(maker, failed);
    return goesToNewest
      ? this.newestOf(replicas, failed)
      : this.#share(servers.id, replicas, asking);
  }

  /**
   * Takes a lease on the newest active backend of the list. Never falls back to an older one.
   *
   * @param backends newest first
   */
  newestOf(backends: readonly Backend[], failed?: ReadonlySet<Backend>): Taken {
    const newest = backends.find(isActive);
    if (newest === undefined || hasFailed(newest, failed)) return undefined;
    const lease = newest.acquire();
    if (lease === undefined) return SATURATED;
    if (newest.shares === undefined) return { kind: "routed", lease, mayMove: false };
    newest.load.decided("only", this.#now());
    return { kind: "routed", lease, mayMove: false, decision: "only" };
  }

  cool(backend: Backend, ms: number): void {
    backend.load.cool(this.#now() + ms);
  }

  /** Forgets the models that no longer have replicas. */
  keep(hasReplicas: (model: string) => boolean): void {
    this.#memories.keep(hasReplicas);
  }

  #share(model: string, replicas: readonly Backend[], asking: Asking): Taken {
    const { failed, prompt } = asking;
    const nowMs = this.#now();
    const choice = this.#chooser.choose(replicas, { failed, prompt, nowMs }, () =>
      this.#memories.of(model),
    );
    const lease = choice?.replica.acquire(choice.unreadBytes);
    if (choice === undefined || lease === undefined) {
      return replicas.some((one) => !hasFailed(one, failed)) ? SATURATED : undefined;
    }
    const decision = failed !== undefined && failed.size > 0 ? "failover" : choice.decision;
    choice.replica.load.decided(decision, nowMs);
    return { kind: "routed", lease, mayMove: true, decision, model };
  }
}

/**
 * Takes a lease on the newest active backend that has not failed this request. If that backend is full, the
 * request does not go to an older one.
 */
function firstOf(backends: readonly Backend[], failed?: ReadonlySet<Backend>): Taken {
  for (const backend of backends) {
    if (!isActive(backend) || hasFailed(backend, failed)) continue;
    const lease = backend.acquire();
    return lease === undefined ? SATURATED : { kind: "routed", lease, mayMove: false };
  }
  return undefined;
}

function isActive({ state }: Backend): boolean {
  return state === "active";
}
