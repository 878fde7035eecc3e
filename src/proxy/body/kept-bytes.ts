/**
 * Counts the kept bytes of request bodies and enforces two limits: one for each request until its `model` has
 * come, and four times as much for all requests together. Bytes kept for a retry count too, and so do the
 * bytes that fetch keeps. Keeps no bytes itself.
 */

/** Counts the kept bytes of one request's body. */
export type Keep = {
  /**
   * Counts bytes in, or says which limit they would exceed.
   *
   * @param bytes as received
   * @param memory how much memory they take while they are kept
   */
  readonly take: (bytes: number, memory?: number) => "taken" | "request limit" | "total limit";
  /** Counts out memory that was freed. */
  readonly give: (memory: number) => void;
  /** Counts out everything that is still counted. */
  readonly end: () => void;
};

const TOTAL_FACTOR = 4;

export class KeptBytes {
  readonly #requestMax: number;
  #total = 0;

  /** @param requestMax bytes */
  constructor(requestMax: number) {
    this.#requestMax = requestMax;
  }

  /** Kept bytes of all requests together. */
  get total(): number {
    return this.#total;
  }

  /** Counts the whole body of a request in if there is room; `give` counts it out. */
  take(bytes: number): boolean {
    if (bytes > this.#requestMax || !this.#hasRoom(bytes)) return false;
    this.#total += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#total -= bytes;
  }

  /** @returns a function that counts the bytes out again; undefined if there is no room */
  reserve(bytes: number): (() => void) | undefined {
    if (!this.#hasRoom(bytes)) return undefined;
    let left = bytes;
    this.#total += left;
    return () => {
      this.#total -= left;
      left = 0;
    };
  }

  open(): Keep {
    let received = 0;
    let kept = 0;
    const give = (memory: number): void => {
      const given = Math.min(memory, kept);
      kept -= given;
      this.#total -= given;
    };
    return {
      take: (bytes, memory = bytes) => {
        if (received + bytes > this.#requestMax) return "request limit";
        if (!this.#hasRoom(memory)) return "total limit";
        received += bytes;
        kept += memory;
        this.#total += memory;
        return "taken";
      },
      give,
      end: () => give(kept),
    };
  }

  #hasRoom(bytes: number): boolean {
    return this.#total + bytes <= this.#requestMax * TOTAL_FACTOR;
  }
}
