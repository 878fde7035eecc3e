/**
 * One timer for many waits of the same length. A wait costs an entry in a list, and no timer of the runtime: most of
 * them are called off long before they are over.
 */

/** Is called when its wait is over. */
export type Due = { readonly due: () => void };

/** A wait that is under way. */
export type Wait = {
  readonly whose: Due;
  /** By `performance.now()`. */
  readonly dueMs: number;
  previous: Wait | undefined;
  next: Wait | undefined;
  isOpen: boolean;
};

export class QueueTimer {
  readonly #waitMs: number;
  /** The oldest wait, which is over first. */
  #first: Wait | undefined;
  #last: Wait | undefined;
  #timer: Timer | undefined;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Calls `due` once, when the wait is over, unless it is called off before. */
  add(whose: Due): Wait {
    const previous = this.#last;
    const dueMs = performance.now() + this.#waitMs;
    const wait: Wait = { whose, dueMs, previous, next: undefined, isOpen: true };
    if (previous === undefined) this.#first = wait;
    else previous.next = wait;
    this.#last = wait;
    if (this.#timer === undefined) this.#arm(this.#waitMs);
    return wait;
  }

  /** Only the first call counts, and none when the wait is over. */
  callOff(wait: Wait): void {
    if (!wait.isOpen) return;
    wait.isOpen = false;
    const { previous, next } = wait;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // Whoever keeps this one must not keep all that came later.
    wait.previous = undefined;
    wait.next = undefined;
  }

  /** The timer goes on while nobody waits, until it fires: a new wait then needs none. */
  readonly #callDue = (): void => {
    const nowMs = performance.now();
    try {
      for (let wait = this.#first; wait !== undefined && wait.dueMs <= nowMs; wait = this.#first) {
        this.callOff(wait);
        wait.whose.due(); // may add a wait
      }
    } finally {
      // Also if one of them throws: the others must not wait for ever.
      this.#timer = undefined;
      if (this.#first !== undefined) this.#arm(Math.max(0, Math.ceil(this.#first.dueMs - nowMs)));
    }
  };

  #arm(ms: number): void {
    this.#timer = setTimeout(this.#callDue, ms);
    this.#timer.unref(); // it may still go on when the process has nothing more to do
  }
}

const timers = new Map<number, QueueTimer>();

/** The one for waits of this length. There are as many as there are lengths: a few. */
export function queueTimerOf(waitMs: number): QueueTimer {
  const known = timers.get(waitMs);
  if (known !== undefined) return known;
  const timer = new QueueTimer(waitMs);
  timers.set(waitMs, timer);
  return timer;
}
