/**
 * What comes from one end of a WebSocket, and whether more is read from it. It is held while the other end is behind. And
 * what comes when a turn of the event loop has lasted too long waits for the next one: Bun hands on all the frames of a
 * read in one go, whatever we say meanwhile. Of tiny ones that is 100,000, and everybody else would wait for seconds
 * (measured, 1.4.5).
 */

/** How long frames of all WebSockets together may come one behind the other before it is somebody else's turn, ms. */
const TURN_MS = 5;
/** When none has come for so long, others have had their turn, ms. */
const GAP_MS = 1;

/** Runs what may throw: nobody else catches it. */
export type Guard = (act: () => void) => void;

type End = { readonly pause: () => void; readonly resume: () => void };

export class Gate {
  readonly #end: End;
  readonly #guard: Guard;
  #isHeld = false;
  /** What has come and waits for the next turn: not more than one read brings. */
  #waiting: (() => void)[] = [];

  constructor(end: End, guard: Guard) {
    this.#end = end;
    this.#guard = guard;
  }

  /** @returns false if that was so already */
  hold(): boolean {
    if (this.#isHeld) return false;
    this.#isHeld = true;
    if (this.#waiting.length === 0) this.#end.pause();
    return true;
  }

  /** @returns false if nothing has held it */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    if (this.#waiting.length === 0) this.#end.resume();
    return true;
  }

  /** Does at once what is to be done about something that has come, or in one of the next turns, in order. */
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

/** When the frames began to come one behind the other. */
let beganMs = 0;
let lastMs = 0;
let isOver = false;
let ofNextTurn: (() => void)[] = [];

/** Costs no timer as long as it is not: most turns have one frame. */
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
