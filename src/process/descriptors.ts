/**
 * Counts file descriptors and says whether there is room for one more request. When they run out, Bun keeps a
 * core busy in accept and may end the process (measured, 1.4.5). So the limit for requests leaves a reserve.
 * The proxy decides how to answer a request without room.
 */

export type Descriptors = {
  /** How many descriptors the process may have open. */
  readonly limit: number;
  /** About how many requests may be in flight at once: rounded down to a multiple of 10. */
  readonly requestsMax: number;
  /** Takes the descriptors for one more request. Returns false and takes nothing if there is no room. */
  readonly take: () => boolean;
};

const RESERVE_SHARE = 0.05;
const RESERVE_MIN = 64;
/** A request takes one descriptor for its client and one for its backend. */
const PER_REQUEST = 2;
/** The longest age of a count, ms. Descriptors taken since are added, because they may not be open yet. */
const RECOUNT_MS = 20;

const OPEN = "/proc/self/fd";
const LIMITS = "/proc/self/limits";

export type DescriptorsInit = {
  readonly limit: number;
  readonly countOpen: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
};

/** @returns undefined if the system does not report the limit (not Linux): there is always room then */
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
    requestsMax: Math.max(0, Math.floor(usable / PER_REQUEST / 10) * 10),
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

/**
 * Reads the soft limit. Bun has raised it to the hard limit. Source: proc(5), `Max open files <soft> <hard>
 * files`.
 */
export function parseLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/**
 * Counts the open descriptors. Since Linux 6.2 the size of the directory is their number. Before that it is
 * 0, which Bun turns into Infinity (measured, 1.4.5); then this counts the entries.
 *
 * @param path a directory of procfs with one entry for each descriptor
 */
export function countOpen(path = OPEN): number {
  const { size } = Bun.file(path);
  const told = size > 0 && size !== Number.POSITIVE_INFINITY;
  return told ? size : process.getBuiltinModule("node:fs").readdirSync(path).length;
}
