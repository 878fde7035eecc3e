/**
 * Splits long work into turns, so that the data of one client does not block all other clients. Does no work
 * itself.
 */

/** How long one turn may take, ms. */
const TURN_MS = 5;

/** Long work checks `isOver` now and then. When it is true, the work awaits `next()`. */
export class Turn {
  #beganMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganMs > TURN_MS;
  }

  /** Lets other work run, then begins a new turn. */
  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.#beganMs = performance.now();
  }
}
