/** Long work in turns: so that what somebody sends in one go does not keep all others waiting. */

/** So long may we work without letting others have their turn, ms. */
const TURN_MS = 5;

export class Turn {
  #beganMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#beganMs > TURN_MS;
  }

  /** Resolves when the others have had theirs. */
  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.#beganMs = performance.now();
  }
}
