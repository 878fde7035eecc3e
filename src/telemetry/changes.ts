/**
 * The last changes, for people who ask what has just happened: states of containers and of the engine, and what
 * the proxy itself did. Something that comes again and again is one change with a count, so that a container that
 * flaps pushes nothing else out. Decides nothing and logs nothing.
 */
import type { Change } from "../status.ts";

export type ChangeInit = Pick<Change, "what" | "name" | "state" | "reason"> & {
  /** Changes with the same text here are the same one, come again. */
  readonly gist: string;
};

const CHANGES_MAX = 100;

export class Changes {
  /** The oldest first, by gist. */
  readonly #kept = new Map<string, Change>();

  /** @param nowMs since the epoch */
  add({ gist, ...change }: ChangeInit, nowMs: number): void {
    const times = (this.#kept.get(gist)?.times ?? 0) + 1;
    this.#kept.delete(gist); // it goes to the end
    this.#kept.set(gist, { at: new Date(nowMs).toISOString(), ...change, times });
    if (this.#kept.size <= CHANGES_MAX) return;
    for (const [oldest] of this.#kept) {
      this.#kept.delete(oldest);
      return;
    }
  }

  /** The latest first. */
  get latest(): readonly Change[] {
    return [...this.#kept.values()].reverse();
  }
}
