/**
 * Takes the frames from one end of a WebSocket, and pauses reading from it. It holds this end while the other end is
 * behind. If one turn of the event loop takes too long, further frames wait for the next turn. Bun delivers all frames of
 * one read at once, even after `pause()`. With tiny frames these are 100,000, and all other connections would wait for
 * seconds (measured, 1.4.5).
 */

/** How long the proxy handles frames of all WebSockets in a row before other work gets a turn, ms. */
const TURN_MS = 5;
/** After a gap without frames of this length, other work has had a turn, ms. */
const GAP_MS = 1;

/** Runs a function that may throw, and catches the error: no caller further up does. */
export type Guard = (act: () => void) => void;

type End = { readonly pause: () => void; readonly resume: () => void };

export class Gate {
  readonly #end: End;
  readonly #guard: Guard;
  #isHeld = false;
  /** Frames that wait for the next turn: at most those of one read. */
  #waiting: (() => void)[] = [];

  constructor(end: End, guard: Guard) {
    this.#end = end;
    this.#guard = guard;
  }

  /** @returns false if it was held already */
  hold(): boolean {
    if (this.#isHeld) return false;
    this.#isHeld = true;
    if (this.#waiting.length === 0) this.#end.pause();
    return true;
  }

  /** @returns false if it was not held */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    if (this.#waiting.length === 0) this.#end.resume();
    return true;
  }

  /** Handles a frame at once, or in one of the next turns. Keeps the order. */
  pass(act: () => void): void {
    if (this.#waiting.length === 0 && !turnIsOver()) {
      this.#guard(act);
      return;
    }
    if (this.#waiting.push(act) > 1) return;
    if (!this.#isHeld) this.#end.pause();
    ofNextTurn.push(this.#goOn);
  }

  readonly #goOn = (): void => {
    let done = 0;
    for (const act of this.#waiting) {
      if (turnIsOver()) break;
      done += 1;
      this.#guard(act);
    }
    this.#waiting.splice(0, done);
    if (this.#waiting.length > 0) ofNextTurn.push(this.#goOn);
    else if (!this.#isHeld) this.#end.resume();
  };
}

/** When the current row of frames began. */
let beganMs = 0;
let lastMs = 0;
let isOver = false;
let ofNextTurn: (() => void)[] = [];

/** Sets a timer only when the turn is over: most turns have one frame. */
function turnIsOver(): boolean {
  if (isOver) return true;
  const nowMs = performance.now();
  if (nowMs - lastMs > GAP_MS) beganMs = nowMs;
  lastMs = nowMs;
  isOver = nowMs - beganMs > TURN_MS;
  if (isOver) setImmediate(nextTurn);
  return isOver;
}

function nextTurn(): void {
  isOver = false;
  beganMs = performance.now();
  lastMs = beganMs;
  const all = ofNextTurn;
  ofNextTurn = [];
  for (const goOn of all) goOn();
}
