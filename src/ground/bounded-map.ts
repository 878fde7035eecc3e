/** A map with a limit, for entries that others cause. It keeps the newest. Knows nothing of what is in it. */

/** Iterates in the order in which the entries were last set, oldest first. Reading changes nothing. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #sizeMax: number;

  /** @param sizeMax the most entries that it keeps */
  constructor(sizeMax: number) {
    super();
    this.#sizeMax = sizeMax;
  }

  /** Sets the entry, which is the newest then. Drops the oldest entry if there are too many. */
  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    for (const oldest of this.keys()) {
      if (this.size <= this.#sizeMax) break;
      this.delete(oldest);
    }
    return this;
  }
}
