/**
 * Keeps the last changes, so that people can see what has just happened: states of containers and of the
 * engine, and actions of the proxy. A repeated change is one entry with a count. Decides nothing and logs
 * nothing.
 */
import { cut } from "../ground/some-of.ts";
import { type Change, NAME_LENGTH_MAX } from "../status.ts";

export type ChangeInit = Pick<Change, "what" | "name" | "state" | "reason"> & {
  /** Two changes with the same name and the same gist are one repeated change. */
  readonly gist: string;
};

/** The subject of the proxy's own changes. */
export const PROXY = { what: "proxy", name: "lw-inference-proxy" } as const;

const CHANGES_MAX = 100;
/** A container that changes all the time, each time with other words, must not push out all other changes. */
const OF_ONE_NAME_MAX = 25;
const REASON_LENGTH_MAX = 200;
/** A repetition after a longer time is a new change, ms. */
const AGAIN_MS = 60_000;

type Kept = { readonly gist: string; readonly atMs: number; readonly change: Change };

export class Changes {
  /** The oldest first. */
  #kept: readonly Kept[] = [];

  /** @param nowMs since the epoch */
  add({ gist, ...init }: ChangeInit, nowMs: number): void {
    const [name, reason] = [cut(init.name, NAME_LENGTH_MAX), cut(init.reason, REASON_LENGTH_MAX)];
    const ofIt = this.#kept.filter(({ change: of }) => of.what === init.what && of.name === name);
    const same = ofIt.findLast((kept) => kept.gist === gist && nowMs - kept.atMs < AGAIN_MS);
    const surplus = ofIt.length >= OF_ONE_NAME_MAX ? ofIt[0] : undefined;
    const dropped = same ?? surplus;
    const times = (same?.change.times ?? 0) + 1;
    const change = { at: new Date(nowMs).toISOString(), ...init, name, reason, times };
    const others = this.#kept.filter((kept) => kept !== dropped);
    this.#kept = [...others, { gist, atMs: nowMs, change }].slice(-CHANGES_MAX);
  }

  /** The latest first. */
  get latest(): readonly Change[] {
    return this.#kept.map(({ change }) => change).reverse();
  }
}
