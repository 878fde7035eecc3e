/**
 * Who somebody is: a server of a source, one run of it, and which of two runs is the newer one. Pure; knows
 * no container, no address and no model.
 */

/** Something that serves models, as its source knows it. Several engines can show the same id. */
export type Server = {
  /** Who shows it: the name of the source. */
  readonly source: string;
  /** Its id there: that of a container, or of a task. */
  readonly id: string;
};

/** One start of one server. Its address and its health may change; another start is another run. */
export type Run = Server & {
  /** By the clock of its source, ms since the epoch. */
  readonly startedAtMs: number;
};

/** How a run has ended, as its source knows it. */
export type RunEnd = {
  /**
   * - `out of memory`: the kernel killed it, since it had used up its memory.
   * - `exited`: it ended by itself, whatever the exit code.
   * - `stopped`: it was told to stop, and did.
   * - `killed`: it was killed, by whomever.
   * - `unknown`: nobody saw how.
   */
  readonly kind: "out of memory" | "exited" | "stopped" | "killed" | "unknown";
  /** Goes on after the server's name, for clients: `ran out of memory`. */
  readonly brief: string;
  /** The same with all that is known, for logs and status: `ran out of memory (exit code 137)`. */
  readonly reason: string;
  /** When it ended, by the clock of its source, ms since the epoch; undefined if nobody saw that. */
  readonly atMs?: number | undefined;
};

export function isSameServer(one: Server, other: Server): boolean {
  return one.id === other.id && one.source === other.source;
}

export function isSameRun(one: Run, other: Run): boolean {
  return one.startedAtMs === other.startedAtMs && isSameServer(one, other);
}

/** A server as the key of a map. */
export function keyOf({ source, id }: Server): string {
  return `${source} ${id}`;
}

/**
 * When a run was seen to become routable: the number of the wake that saw it. There is one counter for the
 * whole process, so that the runs of all sources have one order.
 */
export type Rank = number;

export class Ranks {
  #last: Rank = 0;

  /** Later than all before. */
  next(): Rank {
    this.#last += 1;
    return this.#last;
  }
}

type Ranked = { readonly rank: Rank; readonly run: Run };

/** For sorting. What was seen at once is put in order by its start, then by its id. */
export function newestFirst(a: Ranked, b: Ranked): number {
  return (
    b.rank - a.rank || b.run.startedAtMs - a.run.startedAtMs || compare(keyOf(b.run), keyOf(a.run))
  );
}

/** For sorting. The health of a server may come and go, and changes nothing here. */
export function startedLastFirst(a: Ranked, b: Ranked): number {
  return b.run.startedAtMs - a.run.startedAtMs || newestFirst(a, b);
}

/** By code unit, like the sort order of JavaScript: independent of any locale. */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
