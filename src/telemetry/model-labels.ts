/**
 * The values of the label `model`: limited in number and length, whatever clients and servers send. Counts
 * nothing.
 */

export const UNKNOWN = "unknown";
const LABELS_MAX = 1_000;
const LENGTH_MAX = 256;

export class ModelLabels {
  /** A label stays for good, as its series does: a model that is gone may come back. */
  readonly #labels = new Set<string>([UNKNOWN]);

  /** @returns the model's id if it is in the routing table and there is room for it, else `unknown` */
  of(model: string, isInTable: boolean): string {
    if (this.#labels.has(model)) return model;
    if (!isInTable || model.length > LENGTH_MAX || this.#labels.size >= LABELS_MAX) return UNKNOWN;
    this.#labels.add(model);
    return model;
  }
}
