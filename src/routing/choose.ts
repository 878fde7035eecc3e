/**
 * Who is asked first for a request, of those that serve its model. Pure: it counts nothing, takes no lease
 * and knows no model. Whoever calls it takes the lease, in the same synchronous step.
 */

/** What choosing may look at of a backend. */
export type Candidate = {
  /** Requests that it is working on. */
  readonly inFlight: number;
};

/** What choosing may look at of a request. */
export type Asking<C extends Candidate> = {
  /** Who has failed this request already: they are not asked again. */
  readonly failed?: ReadonlySet<C>;
  /**
   * The beginning of the prompt, as its bytes came: who had the like of it before may still have it in its
   * cache. Today's policy does not look at it.
   */
  readonly affinity?: Uint8Array;
};

/**
 * Today's policy: the newest takes all, and an older one is asked only when it does not.
 *
 * @param candidates newest first, some of which may refuse
 * @returns them in the order in which to ask; the same array if nobody has failed, so that this costs nothing
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  { failed }: Asking<C> = NOTHING_KNOWN,
): readonly C[] {
  if (failed === undefined || failed.size === 0) return candidates;
  return candidates.filter((candidate) => !failed.has(candidate));
}

const NOTHING_KNOWN = {};
