/**
 * One timer for many waits of the same length. A wait costs a list entry instead of a timer of the runtime,
 * because most waits are cancelled long before they are due.
 */

/** The timer calls `due` when the wait is over. */
export type Due = { readonly due: () => void };

/** A pending wait. */
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
  /** The oldest wait. It is due first. */
  #first: Wait | undefined;
  #last: Wait | undefined;
  #timer: Timer | undefined;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Calls `due` once when the wait is over, unless `callOff` comes first. */
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

  /** Cancels a wait. Has no effect on a wait that is over or already cancelled. */
  callOff(wait: Wait): void {
    if (!wait.isOpen) return;
    wait.isOpen = false;
    const { previous, next } = wait;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // A caller that keeps this wait must not keep all later waits in memory.
    wait.previous = undefined;
    wait.next = undefined;
  }

  /** The timer keeps running when the list is empty, until it fires. A new wait can then use it. */
  readonly #callDue = (): void => {
    const nowMs = performance.now();
    try {
      for (let wait = this.#first; wait !== undefined && wait.dueMs <= nowMs; wait = this.#first) {
        this.callOff(wait);
        wait.whose.due(); // may add a wait
      }
    } finally {
      // Re-arm even if a `due` throws: the other waits must still end.
      this.#timer = undefined;
      if (this.#first !== undefined) this.#arm(Math.max(0, Math.ceil(this.#first.dueMs - nowMs)));
    }
  };

  #arm(ms: number): void {
    this.#timer = setTimeout(this.#callDue, ms);
    this.#timer.unref(); // a running timer must not keep the process alive
  }
}

const timers = new Map<number, QueueTimer>();

/** Returns the shared timer for this length. There are only a few lengths, so only a few timers. */
export function queueTimerOf(waitMs: number): QueueTimer {
  const known = timers.get(waitMs);
  if (known !== undefined) return known;
  const timer = new QueueTimer(waitMs);
  timers.set(waitMs, timer);
  return timer;
}
