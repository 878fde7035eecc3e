/**
 * Whether one end of a WebSocket is read from. It is held while the other end is behind, and rests until the next turn of
 * the event loop when this one has lasted too long: Bun hands on all the frames of a read in one go. Of tiny ones that is
 * hundreds of thousands, and everybody else would wait for seconds (measured, 1.4.5).
 */

/** How long the frames of all WebSockets together may take in one turn, ms. */
const TURN_MS = 5;

/** Takes effect between two frames. */
type End = { readonly pause: () => void; readonly resume: () => void };

export class Gate {
  readonly #end: End;
  #isHeld = false;
  #isResting = false;

  constructor(end: End) {
    this.#end = end;
  }

  /** @returns false if that was so already */
  hold(): boolean {
    if (this.#isHeld) return false;
    this.#isHeld = true;
    if (!this.#isResting) this.#end.pause();
    return true;
  }

  /** @returns false if nothing has held it */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    if (!this.#isResting) this.#end.resume();
    return true;
  }

  /** Called with each frame that has come from it. */
  came(): void {
    if (this.#isResting || !turnIsOver()) return;
    this.#isResting = true;
    if (!this.#isHeld) this.#end.pause();
    resting.push(this.#readOn);
  }

  readonly #readOn = (): void => {
    this.#isResting = false;
    if (!this.#isHeld) this.#end.resume();
  };
}

let beganMs: number | undefined;
let isOver = false;
let resting: (() => void)[] = [];

function turnIsOver(): boolean {
  if (isOver) return true;
  const nowMs = performance.now();
  if (beganMs === undefined) {
    beganMs = nowMs;
    setImmediate(nextTurn);
  }
  isOver = nowMs - beganMs > TURN_MS;
  return isOver;
}

function nextTurn(): void {
  isOver = false;
  beganMs = undefined;
  const all = resting;
  resting = [];
  for (const readOn of all) readOn();
}
