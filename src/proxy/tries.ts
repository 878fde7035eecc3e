/**
 * Records which servers a request was sent to, and decides whether to send it again: to the same server over a new
 * connection, or to another server. Pure. A new try loses no work before the first byte of an answer, but a prompt that
 * kills its server must not kill all servers.
 */
import type { Backend } from "../routing/backend.ts";
import type { Load } from "../routing/load.ts";
import type { Routed } from "../routing/routes.ts";
import type { FailureKind } from "./failure.ts";

/** Why an attempt failed. `declined`: the server answered 429 or 503. */
export type Setback = FailureKind | "declined";

/** Which server may be asked next: the same one over a new connection (if it still takes requests), or another one. */
export type Again = { readonly same: boolean; readonly other: boolean };

const NOBODY: Again = { same: false, other: false };
const OTHER: Again = { same: false, other: true };

/** The most servers that may die with one request. */
const DEATHS_MAX = 2;

export class Tries {
  /** Backends that are not asked again. */
  readonly failed = new Set<Backend>();
  readonly #mayRepeat: boolean;
  /** The runs that may have had a part of the request and went away, by their load. */
  readonly #diedWithIt = new Set<Load>();

  /** The runs in `#diedWithIt` that certainly had it. */
  readonly #killed = new Set<Load>();

  /** @param mayRepeat true if another server may get the request after one may have worked on it */
  constructor(mayRepeat: boolean) {
    this.#mayRepeat = mayRepeat;
  }

  /** The result counts only if the request's body can be sent again. */
  after(setback: Setback, { lease, mayMove, decision }: Routed): Again {
    const { backend } = lease;
    this.failed.add(backend);
    const isStale = setback === "stale connection";
    if (isStale || setback === "died") this.#diedWithIt.add(backend.load);
    if (setback === "died") this.#killed.add(backend.load);
    if (decision === undefined) return WITHOUT_REPLICAS[setback];
    const isOver = setback === "failed" || (setback === "unreachable" && !this.#mayRepeat);
    return { same: isStale, other: mayMove && !isOver && this.#mayMoveOn };
  }

  /** Allows asking the failed servers again, except those that died with the request. */
  forgive(): void {
    for (const backend of this.failed) {
      if (!this.#killed.has(backend.load)) this.failed.delete(backend);
    }
  }

  /** Says whether one more server may get it after the last one may have worked on it. */
  get mayRepeatAgain(): boolean {
    return this.#mayRepeat && this.#diedWithIt.size < DEATHS_MAX;
  }

  /** An earlier server may have worked on the request, whatever the last one did. */
  get #mayMoveOn(): boolean {
    return this.#diedWithIt.size === 0 || this.mayRepeatAgain;
  }
}

/**
 * Without replicas another server of the model is asked only if nothing was sent. Most likely no server has seen a
 * request that a closing connection lost.
 */
const WITHOUT_REPLICAS: Readonly<Record<Setback, Again>> = {
  "connection refused": OTHER,
  "stale connection": { same: true, other: true },
  "not connected": NOBODY,
  unreachable: NOBODY,
  died: NOBODY,
  failed: NOBODY,
  declined: NOBODY,
};
