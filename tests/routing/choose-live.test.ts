/** Which replicas can be chosen. `choose.test.ts` tests the rest. */
import { describe, expect, test } from "bun:test";
import { Pool, prompt } from "../support/routing/pool.ts";

const KIB = 1024;

describe("Chooser.choose(), replicas that can take a request", () => {
  test("skips a cooling replica until its time is over, even if it knows the prompt", () => {
    const pool = new Pool();
    pool.choose(prompt("abcd"));
    pool.load(0).cool(1_000);
    expect([
      pool.ask(undefined, { nowMs: 999 }),
      pool.ask(undefined, { nowMs: 999 }),
      pool.ask(prompt("abcd"), { nowMs: 1_000 }),
    ]).toEqual(["1 by load, 0", "2 by load, 0", "0 by prefix, 0"]);
  });

  test("if all replicas are cooling, chooses among them, also by prefix", () => {
    const pool = new Pool();
    pool.choose(prompt("abcd"));
    for (const { load } of pool.replicas) load.cool(1_000);
    expect([pool.ask(prompt("abcd")), pool.ask(undefined)]).toEqual([
      "0 by prefix, 0",
      "1 by load, 0",
    ]);
  });

  test("chooses a cooling replica if the others are full or have failed the request", () => {
    const pool = new Pool({ maxInFlight: 2 });
    pool.load(0).cool(1_000);
    pool.busy(1, 2);
    expect(pool.ask(prompt("ab"), { failed: [2] })).toBe(`0 by only, ${2 * KIB}`);
    pool.load(2).cool(1_000);
    expect([pool.ask(undefined), pool.ask(undefined)]).toEqual(["0 by load, 0", "2 by load, 0"]);
  });

  test.each<[what: string, requests: number, failed: readonly number[]]>([
    ["is full", 3, []],
    ["has failed it", 2, [0]],
  ])("skips a replica that %s, even if it knows the prompt", (_what, requests, failed) => {
    const pool = new Pool({ maxInFlight: 3 });
    pool.choose(prompt("abcd"));
    pool.busy(0, requests);
    expect(pool.ask(prompt("abcd"), { failed })).toBe(`1 by load, ${4 * KIB}`);
  });

  test("chooses no replica if all are full or have failed the request", () => {
    const pool = new Pool({ count: 2, maxInFlight: 1 });
    pool.busy(0, 1);
    expect(pool.ask(undefined, { failed: [1] })).toBe("nobody");
    pool.replicas = [];
    expect(pool.ask(undefined)).toBe("nobody");
  });

  test("the only possible replica gets the request; the prompt is not read and the choice is not counted", () => {
    const hashed: number[] = [];
    const hash = (block: Uint8Array, seed: bigint): bigint => {
      hashed.push(block.length);
      return Bun.hash.wyhash(block, seed);
    };
    const pool = new Pool({ count: 2, hash });
    expect(pool.ask(prompt("a".repeat(300)), { failed: [1] })).toBe(`0 by only, ${256 * KIB}`);
    expect(pool.ask(prompt("ab", 5), { failed: [1] })).toBe(`0 by only, ${2 * KIB + 5}`);
    expect([hashed, pool.memory.size, pool.load(0).chosen]).toEqual([[], 0, 0]);
    expect(pool.ask(prompt("ab", 5))).toBe(`0 by load, ${2 * KIB + 5}`);
    expect(hashed).toEqual([KIB, KIB]);
  });
});

describe("Chooser.choose(), when the replicas change", () => {
  test("the memory of a gone replica does not count, but counts again when the replica is back", () => {
    const pool = new Pool();
    const { replicas } = pool;
    pool.choose(prompt("abcd"));
    pool.replicas = replicas.slice(1);
    expect(pool.ask(prompt("abcd"))).toBe(`1 by load, ${4 * KIB}`);
    pool.replicas = replicas.slice(0, 1).concat(replicas.slice(2));
    expect(pool.ask(prompt("abcd"))).toBe("0 by prefix, 0");
  });

  test("the 32nd replica of all time clears the memory, the 31st does not", () => {
    const pool = new Pool({ count: 31 });
    const [first, ...others] = pool.replicas;
    const newer = new Pool({ count: 1 }).replicas;
    pool.choose(prompt("abcd"));
    expect(pool.ask(prompt("abcd"))).toBe("0 by prefix, 0");
    pool.replicas = [first!, ...others.slice(1), ...newer];
    expect(pool.ask(prompt("abcd"))).toEndWith(` by load, ${4 * KIB}`);
    expect(pool.ask(prompt("abcd"))).toEndWith(" by prefix, 0");
  });

  test("with more than 31 replicas at once, the others get requests by load only", () => {
    const pool = new Pool({ count: 33 });
    const asked = pool.replicas.map((_replica, n) => pool.ask(prompt(String.fromCharCode(65 + n))));
    expect(asked).toEqual(pool.replicas.map(({ name }) => `${name} by load, ${KIB}`));
    expect(pool.ask(prompt("A"))).toBe("0 by prefix, 0");
    expect(pool.ask(prompt(String.fromCharCode(65 + 30)))).toBe("30 by prefix, 0");
    expect(pool.ask(prompt(String.fromCharCode(65 + 31)))).toBe(`1 by load, ${KIB}`);
  });
});
