/**
 * Remembers which replicas of a model got which prompts, as hashes of the blocks of each prompt. A replica that got
 * the same beginning before may still have it in its cache. Pure; the hash is an argument. `choose.ts` decides what
 * follows.
 */

/** Hashes a block. The seed is the hash of the blocks before it, so a hash stands for the whole prefix. */
export type HashBlock = (block: Uint8Array, seed: bigint) => bigint;

/**
 * Stands for a block and all blocks before it: the upper 53 bits of the hash, as many as a number holds. A Map needs
 * four fifths of the time and memory for numbers that it needs for bigints (measured, Bun 1.4.5).
 */
export type Key = number;

/** Issue 16 has the cost of other values for this and the next constant. */
export const BLOCK_BYTES = 1024;
/** Blocks in one generation of a memory. Both generations together must hold as much as the replicas' caches. */
const GENERATION_BLOCKS = 32_768;
/** Each replica is one bit of a positive 32-bit number. */
const BITS = 31;

/** A replica. Two with the same load object are the same run and have the same bit. */
type Held = { readonly load: object };

/** What the memory knows about one prompt. */
export type Known = {
  /** How many of its first blocks some replica has had. */
  readonly depth: number;
  /** The bits of the replicas that have had the last one of these blocks. */
  readonly bits: number;
};

/** The memory of one model, in two generations. A block that is not used while one generation fills is forgotten. */
export class Prefixes {
  readonly #generationBlocks: number;
  #young = new Map<Key, number>();
  #old = new Map<Key, number>();
  /** The bit of each replica, including replicas that are gone. 0 from the 32nd replica on. */
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
   * Gives a bit to each new replica. If the 31 bits are not enough, it forgets everything and gives new bits to the
   * present replicas.
   *
   * @param replicas the same array as before if they are the same replicas; then this costs nothing
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

  /** @returns 0 from the 32nd replica on; such a replica gets requests by load only */
  bitOf({ load }: Held): number {
    return this.#bits.get(load) ?? 0;
  }

  /** @param live the bits of the replicas to look for */
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

  /** Notes which replica gets a prompt. Starts with the last block, so the first block is forgotten last. */
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

/** One hash as two 32-bit numbers, the low one first. */
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

/** The most blocks of all memories together: 108 MB (measured, Bun 1.4.5). A full memory takes 6.8 MB. */
const TOTAL_BLOCKS = 1_048_576;
/** The blocks are counted after this many uses. One prompt adds at most 1,024 blocks. */
const USES_BETWEEN_COUNTS = 64;

type Memory = { readonly prefixes: Prefixes; lastUse: number };

/**
 * The memories of all models. A server may list thousands of models, and clients may fill the memory of each. If all
 * memories together hold too many blocks, the least recently used memories are forgotten.
 */
export class PrefixMemories {
  readonly #totalBlocks: number;
  readonly #memories = new Map<string, Memory>();
  #uses = 0;

  constructor(totalBlocks = TOTAL_BLOCKS) {
    this.#totalBlocks = totalBlocks;
  }

  /** How many blocks all memories hold. */
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

  /** Forgets the models that no longer have replicas. */
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
