/**
 * The identity of a server and of one run of that server, and the order of runs from new to old. Pure. Knows no
 * container, no address and no model.
 */

/** An inference server. Several engines can show the same id, so the source is part of the identity. */
export type Server = {
  /** The name of the source that shows it. */
  readonly source: string;
  /** Its id in that source: a container id or a task id. */
  readonly id: string;
};

/** One start of one server. Its address and its health may change. Another start is another run. */
export type Run = Server & {
  /** The start time by the clock of its source, ms since the epoch. */
  readonly startedAtMs: number;
};

/** How a run ended, as far as its source knows. */
export type RunEnd = {
  /**
   * - `out of memory`: the kernel killed it because it had used up its memory.
   * - `exited`: it ended by itself, with any exit code.
   * - `stopped`: it was told to stop, and it stopped.
   * - `killed`: something killed it.
   * - `unknown`: the source does not know how it ended.
   */
  readonly kind: "out of memory" | "exited" | "stopped" | "killed" | "unknown";
  /** For clients. Follows the server's name: `ran out of memory`. */
  readonly brief: string;
  /** The same with all details, for logs and status: `ran out of memory (exit code 137)`. */
  readonly reason: string;
  /** When it ended by the clock of its source, ms since the epoch. Undefined if the source does not know. */
  readonly atMs?: number | undefined;
};

export function isSameServer(one: Server, other: Server): boolean {
  return one.id === other.id && one.source === other.source;
}

export function isSameRun(one: Run, other: Run): boolean {
  return one.startedAtMs === other.startedAtMs && isSameServer(one, other);
}

/** A map key for a server. */
export function keyOf({ source, id }: Server): string {
  return `${source} ${id}`;
}

/**
 * When we saw a run become routable: the number of the wake that saw it. The whole process has one counter, so
 * the runs of all sources have one order.
 */
export type Rank = number;

export class Ranks {
  #last: Rank = 0;

  /** Returns a rank later than all before. */
  next(): Rank {
    this.#last += 1;
    return this.#last;
  }
}

type Ranked = { readonly rank: Rank; readonly run: Run };

/** For sorting. Runs of the same rank are ordered by start time, then by key. */
export function newestFirst(a: Ranked, b: Ranked): number {
  return (
    b.rank - a.rank || b.run.startedAtMs - a.run.startedAtMs || compare(keyOf(b.run), keyOf(a.run))
  );
}

/** For sorting. Unlike with `newestFirst`, a server that becomes healthy again keeps its position. */
export function startedLastFirst(a: Ranked, b: Ranked): number {
  return b.run.startedAtMs - a.run.startedAtMs || newestFirst(a, b);
}

/** Compares by code unit, like the default sort of JavaScript. Independent of any locale. */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
