/**
 * The values of one label of the metrics: limited in number and length, whatever clients and servers send. Counts
 * nothing.
 */

/** The value for all models that have none of their own. */
export const UNKNOWN = "unknown";
const VALUES_MAX = 1_000;
const LENGTH_MAX = 256;

export class LabelValues {
  readonly #rest: string;
  readonly #max: number;
  /** A value stays for good, as its series does: what is gone may come back. */
  readonly #values: Set<string>;

  /**
   * @param rest the value for all that have none of their own
   * @param max the most values, `rest` included
   */
  constructor(rest: string, max = VALUES_MAX) {
    this.#rest = rest;
    this.#max = max;
    this.#values = new Set([rest]);
  }

  /** @returns the name itself if it is known to be one, and there is room for it; else the value of the rest */
  of(name: string, isKnown: boolean): string {
    if (this.#values.has(name)) return name;
    if (!isKnown || name.length > LENGTH_MAX || this.#values.size >= this.#max) return this.#rest;
    this.#values.add(name);
    return name;
  }
}
