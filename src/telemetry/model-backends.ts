/**
 * How many backends take requests for each model, for metrics. A model whose last backend has gone stays with 0 for a
 * day, so that an alert can see it: a series that is merely gone looks like a model that never was. Observes nothing
 * itself.
 */

/** How many backends take requests for a model. */
export type ModelBackendCount = { readonly model: string; readonly backends: number };

const KEPT_MS = 24 * 60 * 60 * 1_000;
/** As for the labels of other metrics: see label-values.ts. */
const LENGTH_MAX = 256;

export class ModelBackends {
  readonly #modelsMax: number;
  /** When each model was seen last with a backend. A model that is shown stays shown, whatever others come. */
  readonly #seenMs = new Map<string, number>();

  constructor(modelsMax: number) {
    this.#modelsMax = modelsMax;
  }

  /**
   * @param present those that have backends now
   * @param nowMs by a clock that never goes back
   * @returns those of them that there is room for, and with 0 those that had one within the last day
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

  /** New ones take the places of those that are gone the longest. Where no place is left they are not shown. */
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
