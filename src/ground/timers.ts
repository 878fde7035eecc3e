/** Waiting, spacing and delayed calls. Merging several calls into one is in coalesce.ts. */

/** The longest timer: 2^31 − 1 ms, 24.8 days. The runtime fires a longer timer at once. */
export const TIMER_MS_MAX = 2_147_483_647;

/** Spaces turns: the first comes at once, each later turn at least `intervalMs` after the previous one. */
export class Pace {
  readonly #intervalMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Waits for a turn and takes it. Only one caller may wait at a time. */
  async turn(): Promise<void> {
    await this.due();
    this.#nextMs = performance.now() + this.#intervalMs;
  }

  /** Resolves when the next turn is due. Does not take it. */
  async due(): Promise<void> {
    const waitMs = this.#nextMs - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
  }
}

/** Resolves when the time is over or the signal aborts. Never rejects. */
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

/** Delayed calls for several reasons. Each reason has one timer: setting a new one replaces the old one. */
export class Alarms<Reason extends string> {
  readonly #call: () => void;
  readonly #timers = new Map<Reason, Timer>();

  constructor(call: () => void) {
    this.#call = call;
  }

  /** @param delayMs is cut to `TIMER_MS_MAX` */
  set(reason: Reason, delayMs: number): void {
    clearTimeout(this.#timers.get(reason));
    this.#timers.set(reason, setTimeout(this.#call, Math.min(delayMs, TIMER_MS_MAX)));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
