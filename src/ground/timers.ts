/** Waiting, spacing and calling later. Knows nothing of what is called. */

/** The longest that a timer of the runtime can wait: 2^31 − 1 ms, 24.8 days. A longer one fires at once. */
export const TIMER_MS_MAX = 2_147_483_647;

/** Spaces turns out: the first comes at once, each other `intervalMs` after the one before or later. */
export class Pace {
  readonly #intervalMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Takes a turn; for one caller at a time. */
  async turn(): Promise<void> {
    await this.due();
    this.#nextMs = performance.now() + this.#intervalMs;
  }

  /** Resolves when a turn may be taken, and takes none. */
  async due(): Promise<void> {
    const waitMs = this.#nextMs - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
  }
}

/** Resolves when the time is over, or the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const end = (): void => over.resolve();
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  await over.promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}

/** Calls later, for several reasons: each has one time, and a new one takes the place of the old. */
export class Alarms<Reason extends string> {
  readonly #call: () => void;
  readonly #timers = new Map<Reason, Timer>();

  constructor(call: () => void) {
    this.#call = call;
  }

  set(reason: Reason, delayMs: number): void {
    clearTimeout(this.#timers.get(reason));
    this.#timers.set(reason, setTimeout(this.#call, Math.min(delayMs, TIMER_MS_MAX)));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
