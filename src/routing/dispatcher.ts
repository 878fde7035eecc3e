/**
 * Takes the lease of a request on one of the backends that serve its model: on the newest, or on the replica
 * that `choose.ts` chooses. Keeps what that needs from request to request. Does not look models up.
 */
import type { Backend } from "./backend.ts";
import { Chooser } from "./choose.ts";
import type { Decision } from "./decisions.ts";
import { type HashBlock, PrefixMemories } from "./prefixes.ts";
import type { Asking, Routed, Saturated } from "./routes.ts";
import { isSameRun } from "./run.ts";

/** Who serves a model. */
export type Servers = {
  /** The id under which the newest lists it. */
  readonly id: string;
  /** Newest first; draining ones too. */
  readonly backends: readonly Backend[];
  /** Those that share its requests, newest first; undefined if the newest active one takes all. */
  readonly replicas: readonly Backend[] | undefined;
};

export type DispatcherInit = {
  /** ms, by a clock that never goes back. */
  readonly now?: () => number;
  readonly hash?: HashBlock;
};

/** Undefined if all of them are draining, or have failed the request. */
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
    const { madeBy } = asking;
    const maker = madeBy && backends.filter(({ run }) => isSameRun(run, madeBy));
    if (maker !== undefined && maker.length > 0) return this.#pinned(maker);
    return asking.goesToNewest ? this.#pinned(replicas) : this.#share(servers.id, replicas, asking);
  }

  cool(backend: Backend, ms: number): void {
    backend.load.cool(this.#now() + ms);
  }

  /** Forgets the models that have no replicas any more. */
  keep(hasReplicas: (model: string) => boolean): void {
    this.#memories.keep(hasReplicas);
  }

  #pinned(backends: readonly Backend[]): Taken {
    const taken = firstOf(backends);
    if (taken?.kind !== "routed") return taken;
    return this.#decided(taken, "only");
  }

  #share(model: string, replicas: readonly Backend[], asking: Asking): Taken {
    const { failed, prompt } = asking;
    const memory = () => this.#memories.of(model);
    const choice = this.#chooser.choose(replicas, { failed, prompt, nowMs: this.#now() }, memory);
    const lease = choice?.replica.acquire(choice.unreadBytes);
    if (choice === undefined || lease === undefined) {
      return replicas.some((one) => !failed?.has(one)) ? SATURATED : undefined;
    }
    const decision = failed !== undefined && failed.size > 0 ? "failover" : choice.decision;
    return this.#decided({ kind: "routed", lease, mayMove: true }, decision);
  }

  #decided(routed: Routed, decision: Decision): Routed {
    routed.lease.backend.load.decided(decision, this.#now());
    return { ...routed, decision };
  }
}

/** The newest that takes new requests decides: what is too much for it goes to no other. */
export function firstOf(backends: readonly Backend[], failed?: ReadonlySet<Backend>): Taken {
  const newest = backends.find((one) => one.state === "active" && failed?.has(one) !== true);
  if (newest === undefined) return undefined;
  const lease = newest.acquire();
  return lease === undefined ? SATURATED : { kind: "routed", lease, mayMove: false };
}
