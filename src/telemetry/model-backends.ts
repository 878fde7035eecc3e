/**
 * How many backends take requests for each model, for metrics. A model without backends stays with the value
 * 0 for a day, so that an alert can see it: a missing series looks like a model that never existed. Observes
 * nothing itself.
 */

/** How many backends take requests for a model. */
export type ModelBackendCount = { readonly model: string; readonly backends: number };

const KEPT_MS = 24 * 60 * 60 * 1_000;
/** The same limit as for other labels: see label-values.ts. */
const LENGTH_MAX = 256;

export class ModelBackends {
  readonly #modelsMax: number;
  /** When each model last had a backend. New models never replace a model that still has one. */
  readonly #seenMs = new Map<string, number>();

  constructor(modelsMax: number) {
    this.#modelsMax = modelsMax;
  }

  /**
   * @param present the models that have backends now
   * @param nowMs from a monotonic clock
   * @returns these models, as far as there is room, plus 0 for models that had a backend within the last day
   */
  counts(present: Iterable<ModelBackendCount>, nowMs: number): ReadonlyMap<string, number> {
    const now = new Map<string, number>();
    for (const { model, backends } of present) if (backends > 0) now.set(model, backends);
    for (const [model, seenMs] of this.#seenMs) {
      if (now.has(model)) this.#seenMs.set(model, nowMs);
      else if (nowMs - seenMs > KEPT_MS) this.#seenMs.delete(model);
    }
    this.#add(now, nowMs);
    return new Map([...this.#seenMs.keys()].map((model) => [model, now.get(model) ?? 0]));
  }

  /** New models replace the models that are gone the longest. Without room they are not shown. */
  #add(now: ReadonlyMap<string, number>, nowMs: number): void {
    const fresh = [...now.keys()].filter(
      (model) => !this.#seenMs.has(model) && model.length <= LENGTH_MAX,
    );
    const lacking = this.#seenMs.size + fresh.length - this.#modelsMax;
    if (lacking > 0) {
      const gone = [...this.#seenMs].filter(([model]) => !now.has(model));
      gone.sort(([, one], [, other]) => one - other);
      for (const [model] of gone.slice(0, lacking)) this.#seenMs.delete(model);
    }
    for (const model of fresh.slice(0, this.#modelsMax - this.#seenMs.size)) {
      this.#seenMs.set(model, nowMs);
    }
  }
}
