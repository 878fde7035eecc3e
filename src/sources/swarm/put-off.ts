/**
 * Delays the draining of tasks until a successor takes requests. Pure: the time is an argument. With the
 * order `start-first`, the same answer of the manager shows for the first time that the old task must
 * stop and that the new one runs. At that moment the proxy has not read the models of the new task yet.
 */

type PutOff = {
  readonly untilMs: number;
  /** The tasks that will soon take requests. One of them is enough. */
  readonly coming: readonly string[];
};

/**
 * The process gets its stop signal 3 s after the decision (2 s are fixed in the engine). We poll at least
 * once a second, so with this delay we still drain in time.
 */
const PUT_OFF_MS = 1_000;
/** For tasks that get the signal 1.1 s after the decision: a poll of half a second comes first. */
const SHORT_PUT_OFF_MS = 300;

export class PutOffs {
  readonly #takesRequests: (taskId: string) => boolean;
  readonly #all = new Map<string, PutOff>();
  /** Whether a successor took requests, and when we checked. */
  readonly #there = new WeakMap<
    readonly string[],
    { readonly atMs: number; readonly isThere: boolean }
  >();

  constructor(takesRequests: (taskId: string) => boolean) {
    this.#takesRequests = takesRequests;
  }

  /** The tasks whose draining is delayed. */
  get ids(): readonly string[] {
    return [...this.#all.keys()];
  }

  /** The tasks whose delay is over. */
  due(nowMs: number): readonly string[] {
    return [...this.#all].filter(([, putOff]) => !this.#isOn(putOff, nowMs)).map(([id]) => id);
  }

  /**
   * Says whether a task that must drain continues for now.
   *
   * @param coming returns the tasks of the same service that run and take no requests yet
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

  /** Drops the delay: the task must drain at once, or not at all. */
  lift(taskId: string): void {
    this.#all.delete(taskId);
  }

  #isOn({ untilMs, coming }: PutOff, nowMs: number): boolean {
    return nowMs < untilMs && coming.length > 0 && !this.#isThere(coming, nowMs);
  }

  /** Many tasks may wait for the same successors, so we check these only once for each `nowMs`. */
  #isThere(coming: readonly string[], nowMs: number): boolean {
    const known = this.#there.get(coming);
    if (known !== undefined && (known.isThere || known.atMs === nowMs)) return known.isThere;
    const isThere = coming.some((id) => this.#takesRequests(id));
    this.#there.set(coming, { atMs: nowMs, isThere });
    return isThere;
  }
}
