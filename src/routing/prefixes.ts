/**
 * Remembers which replicas of a model got the beginning of which prompts, as hashes of its blocks: who had
 * the like of a prompt before may still have it in its cache. Pure; the hash is an argument. What to make of
 * it is for `choose.ts`.
 */

/** Hashes a block. The hash of the blocks before it is the seed, so that a hash stands for all of them. */
export type HashBlock = (block: Uint8Array, seed: bigint) => bigint;

/**
 * What stands for a block and all before it: the upper 53 bits of its hash, as many as a number holds. A Map
 * finds and keeps numbers for four fifths of what it takes for bigints (measured, 1.4.5).
 */
export type Key = number;

/** Of this and the next constant issue 16 has what other values cost. */
export const BLOCK_BYTES = 1024;
/** Blocks that one generation of a memory holds: together they must hold what the replicas' caches do. */
const GENERATION_BLOCKS = 32_768;
/** Replicas are bits of a positive 32-bit number. */
const BITS = 31;

/** A replica, as far as its bit goes: two with one load are the same run, so they have one bit. */
type Held = { readonly load: object };

/** What is known of one prompt. */
export type Known = {
  /** How many of its first blocks some replica has had. */
  readonly depth: number;
  /** Who has had the last of these: bits. */
  readonly bits: number;
};

/** The memory of one model, in two generations: what is not used again while one fills is forgotten. */
export class Prefixes {
  readonly #generationBlocks: number;
  #young = new Map<Key, number>();
  #old = new Map<Key, number>();
  /** The bit of each replica, gone ones included; 0 for those beyond the 31st. */
  readonly #bits = new Map<object, number>();
  #enrolled: readonly Held[] = [];

  constructor(generationBlocks = GENERATION_BLOCKS) {
    this.#generationBlocks = generationBlocks;
  }

  /** How many blocks it remembers. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Gives bits to those of these replicas that are new. When all 31 are given, all is forgotten, and those that
   * are there get bits anew.
   *
   * @param replicas the same array for as long as they are the same: then this costs nothing
   */
  enrol(replicas: readonly Held[]): void {
    if (replicas === this.#enrolled) return;
    this.#enrolled = replicas;
    const fresh = replicas.filter(({ load }) => !this.#bits.has(load));
    if (fresh.length === 0 || this.#bits.size + fresh.length <= BITS) this.#give(fresh);
    else {
      this.#young = new Map();
      this.#old = new Map();
      this.#bits.clear();
      this.#give(replicas);
    }
  }

  /** @returns 0 for one of those beyond the 31st: it gets requests by load alone */
  bitOf({ load }: Held): number {
    return this.#bits.get(load) ?? 0;
  }

  /** @param live bits of those that count */
  find(keys: readonly Key[], live: number): Known {
    let depth = 0;
    let bits = 0;
    for (const key of keys) {
      const known = this.#know(key) & live;
      if (known === 0) break;
      depth += 1;
      bits = known;
    }
    return { depth, bits };
  }

  /** @returns how many of the first blocks this replica has had */
  depthOf(keys: readonly Key[], bit: number): number {
    let depth = 0;
    for (const key of keys) {
      if ((this.#know(key) & bit) === 0) break;
      depth += 1;
    }
    return depth;
  }

  /** Notes who gets a prompt, its last block first: so the beginning is forgotten last. */
  note(keys: readonly Key[], bit: number): void {
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const key = keys[index] ?? 0;
      if (this.#young.size >= this.#generationBlocks) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      const known = this.#young.get(key);
      const bits = (known ?? this.#old.get(key) ?? 0) | bit;
      if (bits !== known) this.#young.set(key, bits);
    }
  }

  #know(key: Key): number {
    return this.#young.get(key) ?? this.#old.get(key) ?? 0;
  }

  #give(replicas: readonly Held[]): void {
    for (const { load } of replicas) {
      if (this.#bits.has(load)) continue;
      const index = this.#bits.size;
      this.#bits.set(load, index < BITS ? 1 << index : 0);
    }
  }
}

/** One hash, as two numbers of 32 bits: the low one first. */
const HALVES = new Uint32Array(2);
const HASH = new BigUint64Array(HALVES.buffer);

/** The keys of all whole blocks of a text. */
export function keysOf(text: Uint8Array, hash: HashBlock): readonly Key[] {
  const keys: Key[] = [];
  let chained = 0n;
  for (let end = BLOCK_BYTES; end <= text.length; end += BLOCK_BYTES) {
    chained = hash(text.subarray(end - BLOCK_BYTES, end), chained);
    HASH[0] = chained;
    const low = HALVES[0] ?? 0;
    const high = HALVES[1] ?? 0;
    keys.push(high * 2 ** 21 + (low >>> 11));
  }
  return keys;
}

/** Blocks that all memories together may hold: 108 MB (measured, 1.4.5). A full memory takes 6.8 MB. */
const TOTAL_BLOCKS = 1_048_576;
/** So many uses may pass before it is counted again: a prompt adds 1,024 blocks at most. */
const USES_BETWEEN_COUNTS = 64;

type Memory = { readonly prefixes: Prefixes; lastUse: number };

/**
 * The memories of all models. A server may list thousands of models, and clients fill the memory of each: so
 * the ones that were not used for longest are forgotten when there is too much in all.
 */
export class PrefixMemories {
  readonly #totalBlocks: number;
  readonly #memories = new Map<string, Memory>();
  #uses = 0;

  constructor(totalBlocks = TOTAL_BLOCKS) {
    this.#totalBlocks = totalBlocks;
  }

  /** How many blocks all of them remember. */
  get size(): number {
    let size = 0;
    for (const { prefixes } of this.#memories.values()) size += prefixes.size;
    return size;
  }

  of(model: string): Prefixes {
    this.#uses += 1;
    const memory = this.#memories.getOrInsertComputed(model, newMemory);
    memory.lastUse = this.#uses;
    if (this.#uses % USES_BETWEEN_COUNTS === 0) this.#forgetSome();
    return memory.prefixes;
  }

  /** Forgets the models that have no replicas any more. */
  keep(hasReplicas: (model: string) => boolean): void {
    for (const model of this.#memories.keys()) {
      if (!hasReplicas(model)) this.#memories.delete(model);
    }
  }

  #forgetSome(): void {
    let { size } = this;
    if (size <= this.#totalBlocks) return;
    const leastRecentFirst = [...this.#memories].sort(([, a], [, b]) => a.lastUse - b.lastUse);
    for (const [model, { prefixes }] of leastRecentFirst) {
      if (size <= this.#totalBlocks) return;
      size -= prefixes.size;
      this.#memories.delete(model);
    }
  }
}

function newMemory(): Memory {
  return { prefixes: new Prefixes(), lastUse: 0 };
}
