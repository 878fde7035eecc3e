/**
 * Which servers a request has been sent to, and whether it may be sent again: to the same one over another
 * connection, or to another. Pure. Nothing is lost before the first byte of an answer, and a prompt
 * that kills its server must not kill them all.
 */
import type { Backend } from "../routing/backend.ts";
import type { Load } from "../routing/load.ts";
import type { Routed } from "../routing/routes.ts";
import type { FailureKind } from "./failure.ts";

/** How an attempt went. `declined`: the server answered 429 or 503 itself. */
export type Setback = FailureKind | "declined";

/** Who is asked next: the same server over a new connection, if it still takes requests, or another one. */
export type Again = { readonly same: boolean; readonly other: boolean };

const NOBODY: Again = { same: false, other: false };
const OTHER: Again = { same: false, other: true };

/** So many servers at most may die with a request. */
const DEATHS_MAX = 2;

export class Tries {
  /** They are not asked again. */
  readonly failed = new Set<Backend>();
  readonly #mayRepeat: boolean;
  /** The runs that had the request, or some of it, and went away: each by its load. */
  readonly #diedWithIt = new Set<Load>();

  /** Those of them that surely had it. */
  readonly #killed = new Set<Load>();

  /** @param mayRepeat says whether a server may get the request that another may have worked on already */
  constructor(mayRepeat: boolean) {
    this.#mayRepeat = mayRepeat;
  }

  /** Is of use only if the body of the request is at hand. */
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

  /** Those may be asked again that have not had it. */
  forgive(): void {
    for (const backend of this.failed) {
      if (!this.#killed.has(backend.load)) this.failed.delete(backend);
    }
  }

  /** Says whether one more server may get it, after those that may have worked on it. */
  get mayRepeatAgain(): boolean {
    return this.#mayRepeat && this.#diedWithIt.size < DEATHS_MAX;
  }

  /** Whatever the last server did: one before it may have worked on the request. */
  get #mayMoveOn(): boolean {
    return this.#diedWithIt.size === 0 || this.mayRepeatAgain;
  }
}

/**
 * Without replicas another server of the model is asked only if nothing was sent. What a closing connection
 * has lost was most likely seen by nobody.
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
