/**
 * `bun tests/bench/choose.ts`: the cost of choosing a replica, compared with only hashing the prompt. CPU time
 * of one choice in µs, `least | median` of many rounds, each with all cases in turn, because machines are
 * noisy. The memory of prompts is full, as on a proxy that has run for a while.
 */
import { type Candidate, Chooser } from "../../src/routing/choose.ts";
import { Load } from "../../src/routing/load.ts";
import { Prefixes } from "../../src/routing/prefixes.ts";
import { type Random, seededRandom } from "../support/client/random-json.ts";

const KIB = 1024;
/** `atMostUs`: the limit of issue 16. */
const PROMPTS: readonly { readonly bytes: number; readonly atMostUs?: number }[] = [
  { bytes: 0 },
  { bytes: KIB, atMostUs: 1 },
  { bytes: 8 * KIB, atMostUs: 4 },
  { bytes: 64 * KIB, atMostUs: 30 },
  { bytes: 400 * KIB },
  { bytes: 1024 * KIB },
];
const REPLICAS = [4, 8];
const ROUNDS = 41;
/** Choices of one round: about 4 MiB of prompts, and enough short prompts for the clock's resolution. */
const ROUND_BYTES = 4 * 1024 * KIB;
const ROUND_CHOICES_MAX = 4_000;

type Timed = { readonly run: () => void; readonly times: number; readonly rounds: number[] };

type Row = {
  readonly title: string;
  readonly atMostUs: number | undefined;
  readonly hash: Timed;
  /** A prompt that one of the replicas has had: the next turn of a conversation. */
  readonly known: Timed;
  /** A prompt that no replica has had. */
  readonly fresh: Timed;
};

function main(): void {
  const random = seededRandom(16);
  const rows = REPLICAS.flatMap((count) =>
    PROMPTS.map(({ bytes, atMostUs }) => prepare(random, { bytes, count, atMostUs })),
  );
  const timed = rows.flatMap(({ hash, known, fresh }) => [hash, known, fresh]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const one of timed) one.rounds.push(microseconds(one));
  }
  console.log(
    "prompt      replicas      hash alone    known prompt      new prompt   at most   (CPU µs, least | median)",
  );
  for (const { title, hash, known, fresh, atMostUs } of rows) {
    const cells = [hash, known, fresh].map(({ rounds }) => cell(rounds).padStart(15));
    console.log(title, ...cells, atMostUs?.toString().padStart(9) ?? "");
  }
}

type Shape = {
  readonly bytes: number;
  readonly count: number;
  readonly atMostUs: number | undefined;
};

function prepare(random: Random, { bytes, count, atMostUs }: Shape): Row {
  const prompt = randomBytes(random, bytes);
  const replicas = Array.from({ length: count }, () => ({ load: new Load() }));
  const memory = new Prefixes();
  const chooser = new Chooser();
  fill(memory, replicas, random);
  const choose = (): void => {
    const choice = chooser.choose(replicas, { prompt, nowMs: 1 }, () => memory);
    if (choice === undefined) throw new Error("The benchmark found no replica");
    const { load } = choice.replica;
    load.began(choice.unreadBytes);
    load.wasRead(choice.unreadBytes);
    load.ended();
  };
  let written = 0;
  const chooseAnew = (): void => {
    written += 1;
    if (bytes > 4) new DataView(prompt.buffer).setUint32(0, written);
    choose();
  };
  const hash = (): void => {
    let key = 0n;
    for (let end = KIB; end <= bytes; end += KIB) {
      key = Bun.hash.wyhash(prompt.subarray(end - KIB, end), key);
    }
  };
  const times = Math.min(ROUND_CHOICES_MAX, Math.ceil(ROUND_BYTES / Math.max(bytes, 1)));
  const title = `${`${bytes / KIB} KiB`.padEnd(8)} ${count.toString().padStart(11)}`;
  const timed = (run: () => void): Timed => ({ run, times, rounds: [] });
  return { title, atMostUs, hash: timed(hash), known: timed(choose), fresh: timed(chooseAnew) };
}

/** Filled to the limit: each generation has the highest number of blocks. */
function fill(memory: Prefixes, replicas: readonly Candidate[], random: Random): void {
  const chooser = new Chooser();
  const prompt = randomBytes(random, 1024 * KIB);
  for (let times = 0; times < 63; times += 1) {
    new DataView(prompt.buffer).setUint32(4, times);
    chooser.choose(replicas, { prompt, nowMs: 1 }, () => memory);
  }
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}

function microseconds({ run, times }: Timed): number {
  const before = process.cpuUsage();
  for (let time = 0; time < times; time += 1) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

function cell(rounds: readonly number[]): string {
  const sorted = rounds.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${(sorted[0] ?? 0).toFixed(2)} | ${median.toFixed(2)}`;
}

main();
