/**
 * Which replica of a model gets a request: the least loaded of those that know the most of its prompt, unless
 * that one is clearly busier than the idlest. Pure: the time and the hash are arguments; it takes no lease and
 * knows no HTTP. Whoever calls it counts the request in, in the same synchronous step. Source of the policy and
 * of its constants: issue 16, simulated on public traces.
 */
import type { Decision } from "./decisions.ts";
import type { Load } from "./load.ts";
import { BLOCK_BYTES, type HashBlock, keysOf, type Prefixes } from "./prefixes.ts";

/** More of a prompt is not looked at. */
export const PROMPT_BYTES_MAX = 1024 * 1024;
/** The part of a prompt that somebody must know before that counts: a system prompt alone must not. */
const SHARE = 0.5;
/** No prompt weighs more: the bytes of images are not tokens. */
const COST_BYTES_MAX = 256 * 1024;
/** Who knows the prompt may be this many times as busy as the idlest, and so much more. */
const FACTOR = 2;
const SLACK = 8;

/** What choosing may look at of a replica. Two with one load are the same replica. */
export type Candidate = { readonly load: Load };

/** What choosing may look at of a request. */
export type Asking<C extends Candidate> = {
  /** Who has failed this request already: they are not asked again. */
  readonly failed?: ReadonlySet<C> | undefined;
  /** The value of `messages`, `input` or `prompt`, its bytes as they came; undefined if they are not at hand. */
  readonly prompt?: Uint8Array | undefined;
  /** By a clock that never goes back. */
  readonly nowMs: number;
};

export type Choice<C extends Candidate> = {
  readonly replica: C;
  readonly decision: Exclude<Decision, "failover">;
  /** How many bytes of the prompt it has to read: its load until the answer begins. */
  readonly unreadBytes: number;
};

const NO_PROMPT = new Uint8Array(0);

export class Chooser {
  readonly #hash: HashBlock;
  /** How many choices there were. */
  #count = 0;

  constructor(hash: HashBlock = Bun.hash.wyhash) {
    this.#hash = hash;
  }

  /**
   * @param replicas of one model; the same array for as long as they are the same
   * @param memory gives the memory of this model
   * @returns undefined if none of them can take the request: each is full, or has failed it
   */
  choose<C extends Candidate>(
    replicas: readonly C[],
    asking: Asking<C>,
    memory: () => Prefixes,
  ): Choice<C> | undefined {
    const live = liveOf(replicas, asking);
    const [first] = live;
    if (first === undefined) return undefined;
    const prompt = (asking.prompt ?? NO_PROMPT).subarray(0, PROMPT_BYTES_MAX);
    if (live.length === 1) {
      return { replica: first, decision: "only", unreadBytes: costOf(prompt.length) };
    }
    const choice =
      prompt.length < BLOCK_BYTES
        ? ({ replica: leastLoaded(live), decision: "load", unreadBytes: prompt.length } as const)
        : chooseByPrompt(
            live,
            prompt.length,
            recall(replicas, keysOf(prompt, this.#hash), memory()),
          );
    this.#count += 1;
    choice.replica.load.chosen = this.#count;
    return choice;
  }
}

/** What a memory knows of one prompt. */
type Recall<C> = {
  readonly memory: Prefixes;
  readonly keys: readonly bigint[];
  readonly bitOf: (replica: C) => number;
};

function recall<C extends Candidate>(
  replicas: readonly C[],
  keys: readonly bigint[],
  memory: Prefixes,
): Recall<C> {
  const bits = memory.bitsOf(replicas);
  return { memory, keys, bitOf: (replica) => bits[replicas.indexOf(replica)] ?? 0 };
}

/** Chooses, and notes in the memory who gets the prompt: so that parallel requests with one prefix stay together. */
function chooseByPrompt<C extends Candidate>(
  live: readonly C[],
  length: number,
  { memory, keys, bitOf }: Recall<C>,
): Choice<C> {
  const liveBits = live.reduce((all, one) => all | bitOf(one), 0);
  const { depth, bits } = memory.find(keys, liveBits);
  const idlest = leastLoaded(live);
  let replica = idlest;
  let decision: Choice<C>["decision"] = "load";
  if (bits !== 0 && depth * BLOCK_BYTES >= SHARE * length) {
    const knowing = leastLoaded(live.filter((one) => (bitOf(one) & bits) !== 0));
    if (knowing.load.value <= FACTOR * idlest.load.value + SLACK) {
      replica = knowing;
      decision = "prefix";
    }
  }
  const bit = bitOf(replica);
  const unreadBytes = costOf(length - memory.depthOf(keys, bit) * BLOCK_BYTES);
  memory.note(keys, bit);
  return { replica, decision, unreadBytes };
}

/** Those that can take the request and are not cooling; if there are none, those that are cooling. */
function liveOf<C extends Candidate>(
  replicas: readonly C[],
  { failed, nowMs }: Asking<C>,
): readonly C[] {
  const able = replicas.filter((replica) => !replica.load.isFull && failed?.has(replica) !== true);
  const warm = able.filter(({ load }) => !load.isCooling(nowMs));
  return warm.length > 0 ? warm : able;
}

/** @param replicas one or more. Of two with the same load the one that was chosen longer ago is less loaded */
function leastLoaded<C extends Candidate>(replicas: readonly C[]): C {
  return replicas.reduce((least, replica) => (isLess(replica.load, least.load) ? replica : least));
}

function isLess(one: Load, other: Load): boolean {
  const [a, b] = [one.value, other.value];
  return a < b || (a === b && one.chosen < other.chosen);
}

function costOf(bytes: number): number {
  return Math.min(COST_BYTES_MAX, bytes);
}
