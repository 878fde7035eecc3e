/** Compares the choice of a replica with a second implementation, over random histories of a few servers. */
import { expect, test } from "bun:test";
import { type Candidate, Chooser } from "../../src/routing/choose.ts";
import { Load } from "../../src/routing/load.ts";
import { type HashBlock, Prefixes } from "../../src/routing/prefixes.ts";
import { type Random, seededRandom } from "../support/client/random-json.ts";
import { PlainChooser, PlainPool, PlainReplica } from "../support/routing/plain-choose.ts";

const LIVES = 400;
const STEPS = 150;
/** One seed, to repeat a failed history. */
const ONLY = process.env["CHOOSE_SEED"];

const KIB = 1024;

/** A server, as both implementations see it. */
type Both = { readonly real: Candidate; readonly plain: PlainReplica };
type Open = { readonly server: Both; readonly bytes: number; isUnread: boolean };

/** The memory of one model, in both implementations. */
type Model = { readonly real: Prefixes; readonly plain: PlainPool };

/** Mixes well. Reads only the beginning of a block, because random prompts differ there. */
const cheapHash: HashBlock = (block, seed) => {
  const first = BigInt(block[0]! + 256 * block[1]!);
  const mixed = BigInt.asUintN(64, (seed ^ first) * 0x9e3779b97f4a7c15n + 0x632be59bd9b4e019n);
  return BigInt.asUintN(64, (mixed ^ (mixed >> 29n)) * 0xbf58476d1ce4e5b9n);
};

class Life {
  readonly #random: Random;
  readonly #real: Chooser;
  readonly #plain: PlainChooser;
  readonly #models: readonly Model[];
  #servers: Both[] = [];
  /** The same array while the servers are the same, as in the routing table. */
  #replicas: readonly Candidate[] = [];
  #open: Open[] = [];
  readonly #prompts: Uint8Array[] = [new Uint8Array(3 * KIB)];
  #nowMs = 0;
  /** Counts the results of the choices, to check that all kinds occur. */
  readonly seen = new Map<string, number>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const hash = seed % 4 === 0 ? Bun.hash.wyhash : cheapHash;
    this.#real = new Chooser(hash);
    this.#plain = new PlainChooser(hash);
    const size = [6, 20, 100][seed % 3]!;
    this.#models = [0, 1].map(() => ({ real: new Prefixes(size), plain: new PlainPool(size) }));
    // Some histories have more replicas than there are bits.
    for (let count = seed % 10 === 0 ? 30 : 3; count > 0; count -= 1) this.#come();
  }

  /** @returns the difference; undefined if there is none */
  step(): string | undefined {
    const happens = this.#random(20);
    if (happens < 9) return this.#ask();
    if (happens < 12) this.#answer();
    else if (happens < 17) this.#end();
    else if (happens < 18) this.#cool();
    else if (happens < 19) this.#nowMs += this.#random(2_000);
    else if (this.#random(3) > 0) this.#come();
    else this.#go();
    return undefined;
  }

  #ask(): string | undefined {
    const prompt = this.#random(8) === 0 ? undefined : this.#prompt();
    const model = this.#models[this.#random(8) === 0 ? 1 : 0]!;
    const failed = this.#random(6) === 0 ? this.#some() : [];
    const real = this.#real.choose(
      this.#replicas,
      { prompt, failed: new Set(failed.map((one) => one.real)), nowMs: this.#nowMs },
      () => model.real,
    );
    const plain = this.#plain.pick({
      pool: model.plain,
      replicas: this.#servers.map((one) => one.plain),
      failed: new Set(failed.map((one) => one.plain)),
      text: prompt ?? new Uint8Array(0),
      now: this.#nowMs,
    });
    const wanted =
      plain && `${this.#nameOf(plain.replica)} by ${plain.decision} for ${plain.cost} bytes`;
    const got =
      real && `${this.#nameOf(real.replica)} by ${real.decision} for ${real.unreadBytes} bytes`;
    if (got !== wanted) return `${got} instead of ${wanted}`;
    this.#see(plain?.decision ?? "nobody");
    if (plain !== undefined) this.#begin(plain.replica, plain.cost);
    return this.#differing();
  }

  #begin(replica: PlainReplica, bytes: number): void {
    const server = this.#servers.find(({ plain }) => plain === replica)!;
    server.real.load.began(bytes);
    replica.inFlight += 1;
    replica.unread += bytes;
    this.#open.push({ server, bytes, isUnread: true });
  }

  #answer(): void {
    const open = this.#open[this.#random(this.#open.length)];
    if (open?.isUnread !== true) return;
    open.isUnread = false;
    open.server.real.load.wasRead(open.bytes);
    open.server.plain.unread -= open.bytes;
  }

  #end(): void {
    const [open] = this.#open.splice(this.#random(this.#open.length), 1);
    if (open === undefined) return;
    const { server, bytes, isUnread } = open;
    if (isUnread) {
      server.real.load.wasRead(bytes);
      server.plain.unread -= bytes;
    }
    server.real.load.ended();
    server.plain.inFlight -= 1;
  }

  #cool(): void {
    const server = this.#servers[this.#random(this.#servers.length)];
    if (server === undefined) return;
    const until = this.#nowMs + [1_000, 5_000][this.#random(2)]!;
    server.real.load.cool(until);
    server.plain.coolUntil = until;
  }

  #come(): void {
    const most = [3, 1_000, 1_000, 1_000][this.#random(4)]!;
    this.#servers.push({ real: { load: new Load(most) }, plain: new PlainReplica(most) });
    this.#changed();
  }

  #go(): void {
    if (this.#servers.length < 2) return;
    this.#servers.splice(this.#random(this.#servers.length), 1);
    this.#changed();
  }

  #changed(): void {
    this.#replicas = this.#servers.map(({ real }) => real);
  }

  #some(): readonly Both[] {
    return this.#servers.filter(() => this.#random(2) === 0);
  }

  /** Continues one of the last prompts, or a part of one. The new part is short or very long. */
  #prompt(): Uint8Array {
    const before = this.#prompts[this.#random(this.#prompts.length)]!;
    const kept = [before.length, before.length, this.#random(before.length), 2 * KIB, 0];
    const from = before.subarray(0, kept[this.#random(kept.length)]);
    const more = [0, 300, KIB, 2 * KIB, 5 * KIB, 20 * KIB][this.#random(6)]!;
    const long = [60, 300, 1_100][this.#random(3)]! * KIB;
    const added = this.#random(40) === 0 ? long : more;
    const prompt = new Uint8Array(from.length + added);
    prompt.set(from);
    prompt.fill(this.#random(256), from.length);
    // Each new block begins with random bytes, because the cheap hash reads only these.
    for (let at = Math.ceil(from.length / KIB) * KIB; at + 1 < prompt.length; at += KIB) {
      prompt[at] = this.#random(4);
      prompt[at + 1] = this.#random(3);
    }
    if (prompt.length < 100 * KIB) this.#prompts.push(prompt);
    if (this.#prompts.length > 12) this.#prompts.shift();
    return prompt;
  }

  /** The difference between the counts of both implementations. */
  #differing(): string | undefined {
    for (const { real, plain } of this.#servers) {
      const { inFlight, unreadBytes, chosen, value } = real.load;
      const got = JSON.stringify({ inFlight, unreadBytes, chosen, value });
      const wanted = JSON.stringify({
        inFlight: plain.inFlight,
        unreadBytes: plain.unread,
        chosen: plain.chosen,
        value: plain.load,
      });
      if (got !== wanted) return `${this.#nameOf(plain)} has ${got} instead of ${wanted}`;
    }
    for (const { real, plain } of this.#models) {
      const wanted = plain.young.size + plain.old.size;
      if (real.size !== wanted) return `${real.size} blocks are kept instead of ${wanted}`;
    }
    return undefined;
  }

  #nameOf(replica: Candidate | PlainReplica): string {
    return `replica ${this.#servers.findIndex(({ real, plain }) => real === replica || plain === replica)}`;
  }

  #see(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }
}

/** @returns the error, with the seed to repeat it */
function live(seed: number, seen: Map<string, number>): readonly string[] {
  const life = new Life(seed);
  for (let step = 0; step < STEPS; step += 1) {
    const wrong = life.step();
    if (wrong !== undefined) return [`CHOOSE_SEED=${seed}, step ${step}: ${wrong}`];
  }
  for (const [what, count] of life.seen) seen.set(what, (seen.get(what) ?? 0) + count);
  return [];
}

test("choose() chooses as the pseudo code does, over random histories of random replicas", () => {
  const seeds = ONLY === undefined ? Array.from({ length: LIVES }, (_, n) => n + 1) : [+ONLY];
  const seen = new Map<string, number>();
  expect(seeds.flatMap((seed) => live(seed, seen))).toEqual([]);
  if (ONLY !== undefined) return;
  for (const what of ["prefix", "load", "only", "nobody"]) {
    expect([what, (seen.get(what) ?? 0) > 50]).toEqual([what, true]);
  }
}, 60_000);
