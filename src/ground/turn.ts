/**
 * Splits long work into turns, so that what one client sends does not keep all others waiting. Does no work.
 */

/** How long one turn may take, ms. */
const TURN_MS = 5;

/** One piece of work asks `isOver` now and then, and awaits `next()` when it is. */
export class Turn {
  #beganMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganMs > TURN_MS;
  }

  /** Lets others have their turn, then begins a new one. */
  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.#beganMs = performance.now();
  }
}
