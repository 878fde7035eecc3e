import { describe, expect, test } from "bun:test";
import { type Key, keysOf, Prefixes, PrefixMemories } from "../../src/routing/prefixes.ts";
import { prompt } from "../support/routing/pool.ts";

const KIB = 1024;
const ALL = 2 ** 31 - 1;

function keys(blocks: string): readonly Key[] {
  return keysOf(prompt(blocks), Bun.hash.wyhash);
}

function replica(): { readonly load: object } {
  return { load: {} };
}

describe("keysOf()", () => {
  test("returns one key for each whole block; the key stands for all blocks up to this one", () => {
    expect(keysOf(prompt("", KIB - 1), Bun.hash.wyhash)).toEqual([]);
    const [one, two] = [keys("ab"), keysOf(prompt("abc", KIB - 1), Bun.hash.wyhash)];
    expect([one.length, two.length]).toEqual([2, 3]);
    expect(two.slice(0, 2)).toEqual([...one]);
    expect(keys("bb")[1]).not.toBe(one[1]);
    expect(keys("aa")[1]).not.toBe(keys("aa")[0]);
  });

  test("hashes each block with the whole hash of the blocks before it, and keeps the upper 53 bits", () => {
    const hashes = [0xffff_ffff_ffff_ffffn, 0x8000_0000_0000_0800n, 0x7ffn];
    const seeds: bigint[] = [];
    const found = keysOf(prompt("abc"), (_block, seed) => {
      seeds.push(seed);
      return hashes[seeds.length - 1]!;
    });
    expect(seeds).toEqual([0n, hashes[0]!, hashes[1]!]);
    expect(found).toEqual([2 ** 53 - 1, 2 ** 52 + 1, 0]);
  });

  test("the same bytes have the same keys at any place in memory", () => {
    const moved = new Uint8Array(4 * KIB);
    moved.set(prompt("abc"), 3);
    expect(keysOf(moved.subarray(3, 3 + 3 * KIB), Bun.hash.wyhash)).toEqual(keys("abc"));
  });
});

describe("Prefixes", () => {
  test("find() follows a prompt as far as one of the given replicas has had it", () => {
    const memory = new Prefixes();
    memory.note(keys("abcd"), 1);
    memory.note(keys("abx"), 2);
    expect(memory.find(keys("abcde"), ALL)).toEqual({ depth: 4, bits: 1 });
    expect(memory.find(keys("ab"), ALL)).toEqual({ depth: 2, bits: 3 });
    expect(memory.find(keys("abcd"), 2)).toEqual({ depth: 2, bits: 2 });
    expect(memory.find(keys("abcd"), 4)).toEqual({ depth: 0, bits: 0 });
    expect([memory.depthOf(keys("abcd"), 1), memory.depthOf(keys("abcd"), 2)]).toEqual([4, 2]);
    expect(memory.size).toBe(5);
  });

  test("a full generation becomes the old one; blocks that only the previous old one knew are forgotten", () => {
    const memory = new Prefixes(4);
    memory.note(keys("abcd"), 1);
    expect(memory.size).toBe(4);
    memory.note(keys("x"), 1); // the young generation is full: abcd become old
    expect([memory.size, memory.find(keys("abcd"), ALL).depth]).toEqual([5, 4]);
    memory.note(keys("yzw"), 1); // y, z and w fill the young generation
    expect([memory.size, memory.find(keys("abcd"), ALL).depth]).toEqual([8, 4]);
    memory.note(keys("v"), 1); // the young generation is full: abcd are forgotten
    expect([memory.size, memory.find(keys("abcd"), ALL).depth]).toEqual([5, 0]);
    expect(memory.find(keys("x"), ALL).depth).toBe(1);
  });

  test("a block that is used again stays, with all replicas that have had it", () => {
    const memory = new Prefixes(4);
    memory.note(keys("ab"), 1);
    memory.note(keys("xyz"), 1);
    memory.note(keys("ab"), 2); // moves to the young generation
    memory.note(keys("uvw"), 1);
    expect(memory.find(keys("ab"), ALL)).toEqual({ depth: 2, bits: 3 });
  });

  test("of a prompt that is longer than both generations, only the beginning is known", () => {
    const memory = new Prefixes(4);
    memory.note(keys("abcdefghijkl"), 1);
    expect(memory.find(keys("abcdefghijkl"), ALL).depth).toBe(8);
    expect(memory.size).toBe(8);
  });

  test("enrol() gives each replica its own bit, and the same bit to two with the same load", () => {
    const memory = new Prefixes();
    const [a, b] = [replica(), replica()];
    memory.enrol([a, { load: a.load }, b]);
    expect([memory.bitOf(a), memory.bitOf({ load: a.load }), memory.bitOf(b)]).toEqual([1, 1, 2]);
    expect(memory.bitOf(replica())).toBe(0);
  });

  test("enrol() keeps the bits of gone replicas; when no bits are left, it clears the memory", () => {
    const memory = new Prefixes();
    const replicas = Array.from({ length: 31 }, replica);
    memory.enrol(replicas);
    memory.note(keys("ab"), memory.bitOf(replicas[30]!));
    expect(memory.bitOf(replicas[30]!)).toBe(2 ** 30);
    memory.enrol(replicas.slice(20));
    expect([memory.bitOf(replicas[30]!), memory.size]).toEqual([2 ** 30, 2]);
    const newest = replica();
    memory.enrol([newest, ...replicas.slice(20)]);
    expect(memory.size).toBe(0);
    expect([newest, replicas[20]!, replicas[0]!].map((one) => memory.bitOf(one))).toEqual([
      1, 2, 0,
    ]);
  });

  test("with more than 31 replicas at once, the last ones have no bit", () => {
    const memory = new Prefixes();
    const replicas = Array.from({ length: 40 }, replica);
    memory.enrol(replicas);
    const bits = replicas.map((one) => memory.bitOf(one));
    expect(bits).toEqual(replicas.map((_one, n) => (n < 31 ? 2 ** n : 0)));
  });
});

describe("PrefixMemories", () => {
  test("keeps one memory for each model, while the model has replicas", () => {
    const memories = new PrefixMemories();
    memories.of("m").note(keys("ab"), 1);
    expect([memories.of("m").size, memories.of("n").size]).toEqual([2, 0]);
    memories.keep((model) => model === "m");
    expect(memories.of("m").size).toBe(2);
    memories.keep(() => false);
    expect(memories.of("m").size).toBe(0);
  });

  test("forgets the least recently used models when all memories together are too large", () => {
    const memories = new PrefixMemories(1_000);
    for (let n = 0; n < 50; n += 1) memories.of(`model ${n}`).note(keys("x".repeat(30)), 1);
    expect(memories.size).toBeGreaterThan(1_000);
    memories.of("model 0");
    for (let n = 0; n < 64; n += 1) memories.of("model 49");
    expect(memories.size).toBeWithin(900, 1_001);
    const kept = Array.from({ length: 50 }, (_, n) => memories.of(`model ${n}`).size > 0);
    expect([kept[0], kept[1], kept[17], kept[18], kept[49]]).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  test("never holds much more than its limit, with any number of models", () => {
    const memories = new PrefixMemories(2_000);
    let most = 0;
    for (let n = 0; n < 3_000; n += 1) {
      memories.of(`model ${n % 700}`).note(keys(`${n}`.padEnd(20, "x")), 1);
      most = Math.max(most, memories.size);
    }
    expect(most).toBeWithin(2_000, 2_000 + 64 * 20 + 1);
  });
});
