/**
 * How much may be held of requests while their `model` has not come: so much for one, four times
 * that for all together. Counted as received; the memory they take is about that much again.
 *
 * A body that is awaited whole is counted before it comes, apart from those: whoever announces much
 * and sends little makes others be read piece by piece, which costs more, and nothing else.
 */

export type Hold = {
  /** Counts bytes in, or says which limit they would cross. */
  readonly take: (bytes: number) => "taken" | "request limit" | "total limit";
  /** Counts bytes out that have been given on. */
  readonly give: (bytes: number) => void;
  /** Counts out whatever is left. */
  readonly end: () => void;
};

const TOTAL_FACTOR = 4;

export class HeldBytes {
  readonly #requestMax: number;
  #total = 0;
  #awaited = 0;

  /** @param requestMax bytes */
  constructor(requestMax: number) {
    this.#requestMax = requestMax;
  }

  /** Bytes held of all requests. */
  get total(): number {
    return this.#total;
  }

  /**
   * Counts bytes in that are to come.
   *
   * @returns what counts them out, or undefined if that is too much: so much as for one request, of all together
   */
  expect(bytes: number): (() => void) | undefined {
    if (this.#awaited + bytes > this.#requestMax) return undefined;
    this.#awaited += bytes;
    return () => {
      this.#awaited -= bytes;
    };
  }

  open(): Hold {
    let held = 0;
    const give = (bytes: number): void => {
      const given = Math.min(bytes, held);
      held -= given;
      this.#total -= given;
    };
    return {
      take: (bytes) => {
        if (held + bytes > this.#requestMax) return "request limit";
        if (this.#total + bytes > this.#requestMax * TOTAL_FACTOR) return "total limit";
        held += bytes;
        this.#total += bytes;
        return "taken";
      },
      give,
      end: () => give(held),
    };
  }
}
