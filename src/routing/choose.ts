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
    const prompt = promptOf(asking);
    if (live.length === 1) {
      return { replica: first, decision: "only", unreadBytes: costOf(prompt.length) };
    }
    const choice =
      prompt.length < BLOCK_BYTES
        ? ({ replica: leastLoaded(live), decision: "load", unreadBytes: prompt.length } as const)
        : this.#chooseByPrompt(live, prompt, enrolled(memory(), replicas));
    this.#count += 1;
    choice.replica.load.chosen = this.#count;
    return choice;
  }

  /** Notes in the memory who gets the prompt: so that parallel requests with one prefix stay together. */
  #chooseByPrompt<C extends Candidate>(
    live: readonly C[],
    prompt: Uint8Array,
    memory: Prefixes,
  ): Choice<C> {
    const keys = keysOf(prompt, this.#hash);
    const { depth, bits } = memory.find(keys, bitsOf(live, memory));
    const idlest = leastLoaded(live);
    let replica = idlest;
    let decision: Choice<C>["decision"] = "load";
    if (bits !== 0 && depth * BLOCK_BYTES >= SHARE * prompt.length) {
      const knowing = leastLoaded(live.filter((one) => (memory.bitOf(one) & bits) !== 0));
      if (knowing.load.value <= FACTOR * idlest.load.value + SLACK) {
        replica = knowing;
        decision = "prefix";
      }
    }
    const bit = memory.bitOf(replica);
    const unreadBytes = costOf(prompt.length - memory.depthOf(keys, bit) * BLOCK_BYTES);
    memory.note(keys, bit);
    return { replica, decision, unreadBytes };
  }
}

function promptOf({ prompt = NO_PROMPT }: Asking<Candidate>): Uint8Array {
  return prompt.length > PROMPT_BYTES_MAX ? prompt.subarray(0, PROMPT_BYTES_MAX) : prompt;
}

function enrolled(memory: Prefixes, replicas: readonly Candidate[]): Prefixes {
  memory.enrol(replicas);
  return memory;
}

function bitsOf(replicas: readonly Candidate[], memory: Prefixes): number {
  let bits = 0;
  for (const replica of replicas) bits |= memory.bitOf(replica);
  return bits;
}

/**
 * Those that can take the request and are not cooling; if there are none, those that are cooling. Mostly that
 * is all of them: the same array then.
 */
function liveOf<C extends Candidate>(replicas: readonly C[], asking: Asking<C>): readonly C[] {
  const { failed, nowMs } = asking;
  const isAble = (one: C): boolean => !one.load.isFull && !hasFailed(one, failed);
  const isWarm = ({ load }: C): boolean => !load.isCooling(nowMs);
  if (replicas.every((one) => isAble(one) && isWarm(one))) return replicas;
  const able = replicas.filter(isAble);
  const warm = able.filter(isWarm);
  return warm.length > 0 ? warm : able;
}

/** Also if its run was another candidate then: it may have been out meanwhile. */
export function hasFailed<C extends Candidate>(
  { load }: C,
  failed: ReadonlySet<C> | undefined,
): boolean {
  if (failed === undefined) return false;
  for (const one of failed) if (one.load === load) return true;
  return false;
}

/** @param replicas one or more. Of two with the same load the one that was chosen longer ago is less loaded */
function leastLoaded<C extends Candidate>(replicas: readonly C[]): C {
  return replicas.reduce((least, replica) => (isLess(replica.load, least.load) ? replica : least));
}

function isLess(one: Load, other: Load): boolean {
  const { value } = one;
  const { value: least } = other;
  return value < least || (value === least && one.chosen < other.chosen);
}

function costOf(bytes: number): number {
  return Math.min(COST_BYTES_MAX, bytes);
}
