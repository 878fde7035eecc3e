/**
 * Remembers which replicas of a model got the beginning of which prompts, as hashes of its blocks: who had
 * the like of a prompt before may still have it in its cache. Pure; the hash is an argument. What to make of
 * it is for `choose.ts`.
 */

/** Hashes a block. The hash of the blocks before it is the seed, so that a hash stands for all of them. */
export type HashBlock = (block: Uint8Array, seed: bigint) => bigint;

/** FACTS of issue 16: each constant with what others cost. */
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
  #young = new Map<bigint, number>();
  #old = new Map<bigint, number>();
  /** The bit of each replica, gone ones included; 0 for those beyond the 31st. */
  readonly #bits = new Map<object, number>();
  #lastReplicas: readonly Held[] = [];
  #lastBits: readonly number[] = [];

  constructor(generationBlocks = GENERATION_BLOCKS) {
    this.#generationBlocks = generationBlocks;
  }

  /** How many blocks it remembers. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * The bit of each of these replicas, 0 if it has none. A new one gets a bit; when all 31 are given, all is
   * forgotten, and those that are there get bits anew.
   */
  bitsOf(replicas: readonly Held[]): readonly number[] {
    if (replicas === this.#lastReplicas) return this.#lastBits;
    const loads = replicas.map(({ load }) => load);
    this.#enrol(loads);
    this.#lastReplicas = replicas;
    this.#lastBits = loads.map((load) => this.#bits.get(load) ?? 0);
    return this.#lastBits;
  }

  /** @param live bits of those that count */
  find(keys: readonly bigint[], live: number): Known {
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
  depthOf(keys: readonly bigint[], bit: number): number {
    let depth = 0;
    while (depth < keys.length && (this.#know(keys[depth] ?? 0n) & bit) !== 0) depth += 1;
    return depth;
  }

  /** Notes who gets a prompt, its last block first: so the beginning is forgotten last. */
  note(keys: readonly bigint[], bit: number): void {
    for (let index = keys.length - 1; index >= 0; index -= 1) {
      const key = keys[index] ?? 0n;
      if (this.#young.size >= this.#generationBlocks) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(key, this.#know(key) | bit);
    }
  }

  #know(key: bigint): number {
    return this.#young.get(key) ?? this.#old.get(key) ?? 0;
  }

  #enrol(loads: readonly object[]): void {
    const fresh = loads.filter((load) => !this.#bits.has(load));
    const isRoom = this.#bits.size + fresh.length <= BITS;
    if (isRoom || fresh.length === 0) this.#give(fresh);
    else {
      this.#young = new Map();
      this.#old = new Map();
      this.#bits.clear();
      this.#give(loads);
    }
  }

  /** Of more than 31 replicas at once those that are left over have no bit, and get requests by load alone. */
  #give(loads: readonly object[]): void {
    for (const load of loads) {
      const index = this.#bits.size;
      this.#bits.set(load, index < BITS ? 1 << index : 0);
    }
  }
}

/** The hashes of all whole blocks of a text. */
export function keysOf(text: Uint8Array, hash: HashBlock): readonly bigint[] {
  const keys: bigint[] = [];
  let key = 0n;
  for (let end = BLOCK_BYTES; end <= text.length; end += BLOCK_BYTES) {
    key = hash(text.subarray(end - BLOCK_BYTES, end), key);
    keys.push(key);
  }
  return keys;
}

/** Blocks that all memories together may hold: some 110 MB. */
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
    if (this.#uses % USES_BETWEEN_COUNTS === 0) this.#forgetSome();
    const known = this.#memories.get(model);
    if (known !== undefined) {
      known.lastUse = this.#uses;
      return known.prefixes;
    }
    const prefixes = new Prefixes();
    this.#memories.set(model, { prefixes, lastUse: this.#uses });
    return prefixes;
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
    const oldestFirst = [...this.#memories].sort(([, a], [, b]) => a.lastUse - b.lastUse);
    for (const [model, { prefixes }] of oldestFirst) {
      if (size <= this.#totalBlocks) return;
      size -= prefixes.size;
      this.#memories.delete(model);
    }
  }
}
