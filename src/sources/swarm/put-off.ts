/**
 * Keeps which tasks are to drain, and go on until one that comes in their place takes requests. Pure: the time is an
 * argument. With the order `start-first` the old task is told to stop in the very answer in which the new one runs for the
 * first time, and its models are not read yet.
 */

type PutOff = {
  readonly untilMs: number;
  /** Those that are about to take requests, any of which will do. */
  readonly coming: readonly string[];
};

/**
 * The process hears of its stop 3 s after the decision (2 s are fixed in the engine): a poll a second at the least, and
 * this, leave the rest.
 */
const PUT_OFF_MS = 1_000;
/** Where that is 1.1 s: a poll of half a second comes before it. */
const SHORT_PUT_OFF_MS = 300;

export class PutOffs {
  readonly #takesRequests: (taskId: string) => boolean;
  readonly #all = new Map<string, PutOff>();
  /** Whether one of those that are waited for took requests, and when that was looked at. */
  readonly #there = new WeakMap<
    readonly string[],
    { readonly atMs: number; readonly isThere: boolean }
  >();

  constructor(takesRequests: (taskId: string) => boolean) {
    this.#takesRequests = takesRequests;
  }

  /** The tasks that go on for now. */
  get ids(): readonly string[] {
    return [...this.#all.keys()];
  }

  /** The tasks that went on until now, and do not any more. */
  due(nowMs: number): readonly string[] {
    return [...this.#all].filter(([, putOff]) => !this.#isOn(putOff, nowMs)).map(([id]) => id);
  }

  /**
   * Says whether a task that is to drain goes on for now.
   *
   * @param coming gives those of the same service that run and take no requests yet
   */
  goesOn(
    taskId: string,
    nowMs: number,
    coming: () => readonly string[],
    hasLongNotice = true,
  ): boolean {
    const untilMs = nowMs + (hasLongNotice ? PUT_OFF_MS : SHORT_PUT_OFF_MS);
    const putOff = this.#all.get(taskId) ?? { untilMs, coming: coming() };
    const goesOn = this.#isOn(putOff, nowMs);
    if (goesOn) this.#all.set(taskId, putOff);
    else this.#all.delete(taskId);
    return goesOn;
  }

  /** The task is not to drain, or at once. */
  lift(taskId: string): void {
    this.#all.delete(taskId);
  }

  #isOn({ untilMs, coming }: PutOff, nowMs: number): boolean {
    return nowMs < untilMs && coming.length > 0 && !this.#isThere(coming, nowMs);
  }

  /** Many may wait for the same ones: these are looked at once each time. */
  #isThere(coming: readonly string[], nowMs: number): boolean {
    const known = this.#there.get(coming);
    if (known !== undefined && (known.isThere || known.atMs === nowMs)) return known.isThere;
    const isThere = coming.some((id) => this.#takesRequests(id));
    this.#there.set(coming, { atMs: nowMs, isThere });
    return isThere;
  }
}
