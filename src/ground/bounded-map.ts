/** A map that others may fill: it keeps no more than so many entries, the newest. Knows nothing of them. */

/** Entries stand in the order in which they were set last, oldest first. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #sizeMax: number;

  /** @param sizeMax entries that are kept */
  constructor(sizeMax: number) {
    super();
    this.#sizeMax = sizeMax;
  }

  /** Makes the entry the newest one, and forgets the oldest if there are too many. */
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
