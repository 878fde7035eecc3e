/**
 * The values of one metric label. Limits their number and length, whatever clients and servers send. Counts
 * nothing.
 */

/** The value for all models without their own value. */
export const UNKNOWN = "unknown";
const VALUES_MAX = 1_000;
const LENGTH_MAX = 256;

export class LabelValues {
  readonly #rest: string;
  readonly #max: number;
  /** A value stays forever, like its series: a model or container that is gone may come back. */
  readonly #values: Set<string>;

  /**
   * @param rest the shared value for all names without their own value
   * @param max the most values, including `rest`
   */
  constructor(rest: string, max = VALUES_MAX) {
    this.#rest = rest;
    this.#max = max;
    this.#values = new Set([rest]);
  }

  /** @returns the name itself if it is known and there is room; otherwise the shared value */
  of(name: string, isKnown: boolean): string {
    if (this.#values.has(name)) return name;
    if (!isKnown || name.length > LENGTH_MAX || this.#values.size >= this.#max) return this.#rest;
    this.#values.add(name);
    return name;
  }
}
