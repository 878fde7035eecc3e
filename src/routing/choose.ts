/**
 * Chooses which replica of a model gets a request. Among the replicas that have had the longest part of its prompt
 * it takes the least loaded, unless that one is clearly busier than the idlest replica. Pure: the time and the hash
 * are arguments; it takes no lease and knows no HTTP. The caller must count the request in, in the same synchronous
 * step. Source of the policy and of its constants: issue 16, simulated on public traces.
 */
import type { Decision } from "./decisions.ts";
import type { Load } from "./load.ts";
import { BLOCK_BYTES, type HashBlock, keysOf, type Prefixes } from "./prefixes.ts";

/** The choice uses only this much of a prompt. */
export const PROMPT_BYTES_MAX = 1024 * 1024;
/** A replica must have had this part of a prompt before that counts. A common system prompt must not be enough. */
const SHARE = 0.5;
/** A longer prompt counts as this much load: the bytes of images are not tokens. */
const COST_BYTES_MAX = 256 * 1024;
/** A replica that knows the prompt may have a load of up to FACTOR times the load of the idlest, plus SLACK. */
const FACTOR = 2;
const SLACK = 8;

/** A replica, as far as the choice needs it. Two candidates with the same load object are the same replica. */
export type Candidate = { readonly load: Load };

/** A request, as far as the choice needs it. */
export type Asking<C extends Candidate> = {
  /** The replicas that have failed this request. They do not get it again. */
  readonly failed?: ReadonlySet<C> | undefined;
  /** The raw bytes of the value of `messages`, `input` or `prompt`. Undefined if they are not at hand. */
  readonly prompt?: Uint8Array | undefined;
  /** From a clock that never goes back. */
  readonly nowMs: number;
};

export type Choice<C extends Candidate> = {
  readonly replica: C;
  readonly decision: Exclude<Decision, "failover">;
  /** How many bytes of the prompt are new to it. They count as load until the answer begins. */
  readonly unreadBytes: number;
};

const NO_PROMPT = new Uint8Array(0);

export class Chooser {
  readonly #hash: HashBlock;
  /** How many choices it has made. */
  #count = 0;

  constructor(hash: HashBlock = Bun.hash.wyhash) {
    this.#hash = hash;
  }

  /**
   * @param replicas of one model; the same array as before if they are the same replicas
   * @param memory returns the memory of this model
   * @returns undefined if no replica can take the request, because each is full or has failed it
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

  /** Notes at once which replica gets the prompt, so that parallel requests with one prefix stay together. */
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
 * Returns the replicas that can take the request and are not cooling. If there are none, returns the cooling ones
 * that can take it. If that is all replicas, as it mostly is, returns the same array.
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

/**
 * True if the run of this candidate has failed the request. We compare loads, because a run that was removed and
 * admitted again is another candidate with the same load.
 */
export function hasFailed<C extends Candidate>(
  { load }: C,
  failed: ReadonlySet<C> | undefined,
): boolean {
  if (failed === undefined) return false;
  for (const one of failed) if (one.load === load) return true;
  return false;
}

/** @param replicas one or more; with equal loads the one that was chosen longer ago wins */
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
