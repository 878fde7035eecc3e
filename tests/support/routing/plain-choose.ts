/**
 * A slow and simple version of the choice of a replica, straight from the pseudo code of issue 16. Tests
 * compare `src/routing/choose.ts` with it. The two share no code. The pseudo code has bits for replicas; this
 * version has sets of replicas.
 */

const BLOCK = 1024;
const SHARE = 0.5;
const UNIT = 8 * 1024;
const CAP = 256 * 1024;
const FACTOR = 2;
const SLACK = 8;
const LIMIT = 1024 * 1024;
const BITS = 31;

export class PlainReplica {
  inFlight = 0;
  unread = 0;
  chosen = 0;
  coolUntil = 0;
  readonly maxInFlight: number;

  constructor(maxInFlight: number) {
    this.maxInFlight = maxInFlight;
  }

  get load(): number {
    return this.inFlight + this.unread / UNIT;
  }
}

type Replicas = ReadonlySet<PlainReplica>;

/** The memory for one model. */
export class PlainPool {
  readonly size: number;
  young = new Map<bigint, Replicas>();
  old = new Map<bigint, Replicas>();
  /** The replicas that have a bit. */
  numbered: PlainReplica[] = [];

  constructor(size: number) {
    this.size = size;
  }

  know(key: bigint): Replicas {
    return this.young.get(key) ?? this.old.get(key) ?? new Set();
  }

  set(key: bigint, replicas: Replicas): void {
    if (this.young.size >= this.size) {
      this.old = this.young;
      this.young = new Map();
    }
    // After the generations change, as in the pseudo code: knowledge only in the dropped generation is lost.
    this.young.set(key, this.know(key).union(replicas));
  }

  /** A new replica gets a new bit. After the 31st, both maps become empty, and the bits are given again. */
  number(replicas: readonly PlainReplica[]): void {
    const fresh = replicas.filter((one) => !this.numbered.includes(one));
    if (fresh.length === 0) return;
    if (this.numbered.length + fresh.length > BITS) {
      this.young = new Map();
      this.old = new Map();
      this.numbered = [...replicas];
    } else {
      this.numbered.push(...fresh);
    }
  }

  hasBit(replica: PlainReplica): boolean {
    const index = this.numbered.indexOf(replica);
    return index >= 0 && index < BITS;
  }
}

export type PlainAsking = {
  readonly pool: PlainPool;
  readonly replicas: readonly PlainReplica[];
  readonly failed: Replicas;
  readonly text: Uint8Array;
  readonly now: number;
};

export type PlainChoice = {
  readonly replica: PlainReplica;
  readonly decision: string;
  readonly cost: number;
};

export class PlainChooser {
  readonly hash: (block: Uint8Array, seed: bigint) => bigint;
  count = 0;

  constructor(hash: (block: Uint8Array, seed: bigint) => bigint) {
    this.hash = hash;
  }

  pick(asking: PlainAsking): PlainChoice | undefined {
    const { pool, replicas } = asking;
    const text = asking.text.slice(0, LIMIT);
    const live = liveOf(asking);
    if (live.length === 0) return undefined;
    if (live.length === 1) {
      return { replica: live[0]!, decision: "only", cost: Math.min(CAP, text.length) };
    }
    const keys = this.keysOf(text);
    if (keys.length > 0) pool.number(replicas);
    const { depth, bits } = deepest(pool, keys, live);
    const idlest = least(live);
    let r = idlest;
    let decision = "load";
    if (bits.size > 0 && depth * BLOCK >= SHARE * text.length) {
      const c = least([...bits]);
      if (c.load <= FACTOR * idlest.load + SLACK) {
        r = c;
        decision = "prefix";
      }
    }
    let n = 0;
    while (n < keys.length && pool.know(keys[n]!).has(r)) n += 1;
    for (const key of keys.toReversed()) {
      pool.set(key, pool.hasBit(r) ? new Set([r]) : new Set());
    }
    this.count += 1;
    r.chosen = this.count;
    return { replica: r, decision, cost: Math.min(CAP, text.length - n * BLOCK) };
  }

  keysOf(text: Uint8Array): readonly bigint[] {
    const keys: bigint[] = [];
    let h = 0n;
    for (let start = 0; start + BLOCK <= text.length; start += BLOCK) {
      h = this.hash(text.slice(start, start + BLOCK), h);
      keys.push(h);
    }
    return keys;
  }
}

/** How many of the first keys are known, and which of the live replicas know the last of these keys. */
function deepest(pool: PlainPool, keys: readonly bigint[], live: readonly PlainReplica[]) {
  let depth = 0;
  let bits: Replicas = new Set();
  for (const key of keys) {
    const b = pool.know(key).intersection(new Set(live));
    if (b.size === 0) break;
    depth += 1;
    bits = b;
  }
  return { depth, bits };
}

function liveOf({ replicas, failed, now }: PlainAsking): readonly PlainReplica[] {
  const able = replicas.filter((one) => one.inFlight < one.maxInFlight && !failed.has(one));
  const warm = able.filter((one) => one.coolUntil <= now);
  return warm.length > 0 ? warm : able;
}

/** The smallest by (load, chosen). The first of equal ones. */
function least(replicas: readonly PlainReplica[]): PlainReplica {
  return replicas.toSorted((a, b) => a.load - b.load || a.chosen - b.chosen)[0]!;
}
