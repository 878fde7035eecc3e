/**
 * How much may be held of requests while their `model` has not come: so much for one, four times
 * that for all together. Counted as received; the memory they take is about that much again.
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

  /** @param requestMax bytes */
  constructor(requestMax: number) {
    this.#requestMax = requestMax;
  }

  /** Bytes held of all requests. */
  get total(): number {
    return this.#total;
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
