/**
 * Which servers a request has been sent to, and whether it may be sent again: to the same one over another
 * connection, or to another. Pure. `FACTS`: nothing is lost before the first byte of an answer, and a prompt
 * that kills its server must not kill them all.
 */
import type { Backend } from "../routing/backend.ts";
import type { Routed } from "../routing/routes.ts";
import type { FailureKind } from "./failure.ts";

/** How an attempt went. `declined`: the server answered 429 or 503 itself. */
export type Setback = FailureKind | "declined";

export type Again =
  /** Over a new connection; another one, if it takes no requests any more. */
  "same" | "other" | "nobody";

/** So many servers at most may die with a request. */
const DEATHS_MAX = 2;

export class Tries {
  /** They are not asked again. */
  readonly failed = new Set<Backend>();
  readonly #mayRepeat: boolean;
  /** Those that had the request, or some of it, and went away. */
  readonly #diedWithIt = new Set<Backend>();

  /** @param mayRepeat says whether a server may get the request that another may have worked on already */
  constructor(mayRepeat: boolean) {
    this.#mayRepeat = mayRepeat;
  }

  /** The body of the request must be at hand. @returns who is asked next */
  after(setback: Setback, routed: Routed): Again {
    const { lease, mayMove, decision } = routed;
    const { backend } = lease;
    this.failed.add(backend);
    // Without replicas another server of the model is asked only if nothing was sent.
    if (decision === undefined) return WITHOUT_REPLICAS[setback];
    if (setback === "stale connection" || setback === "died") this.#diedWithIt.add(backend);
    if (setback === "stale connection") return "same";
    const mayMoveOn = setback === "died" ? this.mayLeave(routed) : setback !== "failed";
    return mayMove && mayMoveOn ? "other" : "nobody";
  }

  /** Says whether another server may get a request that this one may have worked on. */
  mayLeave({ mayMove, decision }: Routed): boolean {
    if (decision === undefined) return true; // a stale connection: most likely nobody has seen the request
    return mayMove && this.#mayRepeat && this.#diedWithIt.size < DEATHS_MAX;
  }
}

const WITHOUT_REPLICAS: Readonly<Record<Setback, Again>> = {
  "connection refused": "other",
  "stale connection": "same",
  "not connected": "nobody",
  died: "nobody",
  failed: "nobody",
  declined: "nobody",
};
