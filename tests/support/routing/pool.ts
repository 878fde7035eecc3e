/** Replicas of one model that consist only of their loads, and prompts that are written as letters. */
import { type Asking, type Candidate, type Choice, Chooser } from "../../../src/routing/choose.ts";
import { Load } from "../../../src/routing/load.ts";
import { type HashBlock, Prefixes } from "../../../src/routing/prefixes.ts";

const KIB = 1024;

/**
 * @param blocks one letter for each KiB
 * @param moreBytes the size of an incomplete last block
 */
export function prompt(blocks: string, moreBytes = 0): Uint8Array {
  const bytes = new Uint8Array(blocks.length * KIB + moreBytes).fill(1);
  for (const [index, letter] of [...blocks].entries()) {
    bytes.fill(letter.charCodeAt(0), index * KIB, (index + 1) * KIB);
  }
  return bytes;
}

type Replica = Candidate & { readonly name: string };

type Init = {
  readonly count?: number;
  readonly maxInFlight?: number;
  /** How many blocks a generation of the memory holds. */
  readonly blocks?: number;
  readonly hash?: HashBlock;
};

export class Pool {
  replicas: readonly Replica[];
  readonly memory: Prefixes;
  readonly #chooser: Chooser;

  constructor({ count = 3, maxInFlight, blocks, hash }: Init = {}) {
    this.replicas = Array.from({ length: count }, (_, index) => ({
      name: `${index}`,
      load: new Load(maxInFlight),
    }));
    this.memory = new Prefixes(blocks);
    this.#chooser = new Chooser(hash);
  }

  load(index: number): Load {
    return this.replicas[index]!.load;
  }

  /** Makes a replica busy. */
  busy(index: number, requests: number, unreadBytes = 0): void {
    for (let count = 0; count < requests; count += 1) this.load(index).began(0);
    // Only bytes, without a request.
    this.load(index).began(unreadBytes);
    this.load(index).ended();
  }

  /** Ends requests of a replica. */
  free(index: number, requests: number): void {
    for (let count = 0; count < requests; count += 1) this.load(index).ended();
  }

  choose(
    text: Uint8Array | undefined,
    {
      failed = [],
      nowMs = 0,
    }: { readonly failed?: readonly number[]; readonly nowMs?: number } = {},
  ): Choice<Replica> | undefined {
    const asking: Asking<Replica> = {
      prompt: text,
      failed: new Set(failed.map((index) => this.replicas[index]!)),
      nowMs,
    };
    return this.#chooser.choose(this.replicas, asking, () => this.memory);
  }

  /**
   * Chooses.
   *
   * @returns for example `"0 by prefix, 1024"`: which replica, why, and how many bytes it has to read
   */
  ask(text: Uint8Array | undefined, options?: Parameters<Pool["choose"]>[1]): string {
    const choice = this.choose(text, options);
    return choice === undefined
      ? "nobody"
      : `${choice.replica.name} by ${choice.decision}, ${choice.unreadBytes}`;
  }

  /** Chooses, and counts the request in. */
  start(text: Uint8Array | undefined): string {
    const choice = this.choose(text)!;
    choice.replica.load.began(choice.unreadBytes);
    return choice.replica.name;
  }
}
