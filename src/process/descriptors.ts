/**
 * File descriptors: each request takes two, and when they run out Bun spins a core in accept and may
 * end the process (measured, 1.4.5). So new requests are refused while a reserve is left.
 */

export type Descriptors = {
  /** How many the process may have open. */
  readonly limit: number;
  /** Takes what one more request needs. Returns false, and takes nothing, if there is no room. */
  readonly take: () => boolean;
};

const RESERVE_SHARE = 0.05;
const RESERVE_MIN = 64;
/** A request's client and its upstream. */
const PER_REQUEST = 2;
/** Requests taken in since the last count may not have opened theirs yet. */
const RECOUNT_MS = 20;

const OPEN = "/proc/self/fd";
const LIMITS = "/proc/self/limits";

export type DescriptorsInit = {
  readonly limit: number;
  readonly countOpen: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
};

/** @returns undefined where the system does not tell (no Linux): nothing is refused there */
export async function readDescriptors(): Promise<Descriptors | undefined> {
  try {
    const limit = parseLimit(await Bun.file(LIMITS).text());
    return limit === undefined
      ? undefined
      : createDescriptors({ limit, countOpen, now: () => performance.now() });
  } catch {
    return undefined;
  }
}

export function createDescriptors({ limit, countOpen: count, now }: DescriptorsInit): Descriptors {
  const usable = limit - Math.max(RESERVE_MIN, Math.ceil(limit * RESERVE_SHARE));
  let expected = 0;
  let countedMs = Number.NEGATIVE_INFINITY;
  return {
    limit,
    take: () => {
      if (now() - countedMs >= RECOUNT_MS) {
        expected = count();
        countedMs = now();
      }
      if (expected + PER_REQUEST > usable) return false;
      expected += PER_REQUEST;
      return true;
    },
  };
}

/** The soft limit, which Bun has raised to the hard one. Source: proc(5), `Max open files <soft> <hard> files`. */
export function parseLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/**
 * Since Linux 6.2 the directory's size is the count; before, it is 0, of which Bun makes Infinity
 * (measured, 1.4.5), and the entries have to be counted.
 *
 * @param path a directory of procfs with an entry for each
 */
export function countOpen(path = OPEN): number {
  const { size } = Bun.file(path);
  const told = size > 0 && size !== Number.POSITIVE_INFINITY;
  return told ? size : process.getBuiltinModule("node:fs").readdirSync(path).length;
}
