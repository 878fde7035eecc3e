/** A map with a size limit, for entries that clients or servers cause. It keeps the newest entries. */

/** Iterates in the order of the last `set`, oldest first. Reading does not change the order. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #sizeMax: number;

  /** @param sizeMax the most entries to keep */
  constructor(sizeMax: number) {
    super();
    this.#sizeMax = sizeMax;
  }

  /** Sets the entry and makes it the newest. Drops the oldest entry if there are too many. */
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
