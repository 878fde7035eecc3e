/**
 * Each line of the pseudo code of issue 16. Who is live: `choose-live.test.ts`; all
 * lines together: `choose-random.test.ts`.
 */
import { describe, expect, test } from "bun:test";
import { Pool, prompt } from "../support/routing/pool.ts";

const KIB = 1024;

type Busy = readonly [requests: number, unreadBytes: number];

/** Unless it says otherwise the first request of a pool goes to replica 0, as all are idle. */
describe("Chooser.choose(), by load", () => {
  test("takes the one that was chosen longest ago, of those with the same load", () => {
    const pool = new Pool();
    const names = Array.from({ length: 6 }, () => pool.choose(undefined)?.replica.name);
    expect(names).toEqual(["0", "1", "2", "0", "1", "2"]);
  });

  test.each<[what: string, busy: readonly Busy[], taken: string]>([
    ["requests in flight", [[1, 0]], "1"],
    ["unread bytes, however few", [[0, 1]], "1"],
    [
      "8 KiB unread as much as a request",
      [
        [1, 0],
        [0, 8 * KIB],
        [2, 0],
      ],
      "0",
    ],
    [
      "more than 8 KiB as more than a request",
      [
        [0, 8 * KIB + 1],
        [1, 0],
        [2, 0],
      ],
      "1",
    ],
    [
      "less than 8 KiB as less than a request",
      [
        [1, 0],
        [0, 8 * KIB - 1],
        [2, 0],
      ],
      "1",
    ],
  ])("counts %s", (_what, busy, taken) => {
    const pool = new Pool();
    for (const [index, [requests, unreadBytes]] of busy.entries()) {
      pool.busy(index, requests, unreadBytes);
    }
    expect(pool.ask(undefined)).toBe(`${taken} by load, 0`);
  });

  test.each<[what: string, text: Uint8Array | undefined, bytes: number]>([
    ["that is not at hand", undefined, 0],
    ["that is empty", prompt(""), 0],
    ["shorter than a block", prompt("", KIB - 1), KIB - 1],
  ])("a prompt %s is not remembered", (_what, text, bytes) => {
    const pool = new Pool();
    expect([pool.ask(text), pool.ask(text)]).toEqual([
      `0 by load, ${bytes}`,
      `1 by load, ${bytes}`,
    ]);
    expect(pool.memory.size).toBe(0);
  });
});

describe("Chooser.choose(), by prefix", () => {
  test.each<[what: string, text: Uint8Array, taken: string]>([
    ["all of it", prompt("abcd"), "0 by prefix, 0"],
    ["more than half of it", prompt("abcdxyz"), `0 by prefix, ${3 * KIB}`],
    ["half of it", prompt("abcdwxyz"), `0 by prefix, ${4 * KIB}`],
    ["a byte less than half of it", prompt("abcdwxyz", 1), `1 by load, ${8 * KIB + 1}`],
    ["another beginning, though all else is the same", prompt("xbcd"), `1 by load, ${4 * KIB}`],
    ["none of it", prompt("wxyz"), `1 by load, ${4 * KIB}`],
    ["a part that ends inside a block", prompt("ab", 500), "0 by prefix, 500"],
  ])("of a prompt a replica knows %s", (_what, text, taken) => {
    const pool = new Pool();
    pool.choose(prompt("abcd"));
    expect(pool.ask(text)).toBe(taken);
  });

  test("a last block that is not whole is not remembered", () => {
    const pool = new Pool();
    pool.choose(prompt("a", KIB - 1));
    expect(pool.memory.size).toBe(1);
    // 1023 of its bytes are the same, and are read again.
    expect(pool.ask(prompt("a", KIB - 1))).toBe(`0 by prefix, ${KIB - 1}`);
  });

  test.each<[when: string, busy: Busy, idlest: number, taken: string]>([
    ["8 requests, where another one has none", [8, 0], 0, "0 by prefix"],
    ["a byte more than that", [8, 1], 0, "1 by load"],
    ["twice as many requests as another one, and 8", [14, 0], 3, "0 by prefix"],
    ["a byte more than that", [14, 1], 3, "1 by load"],
  ])("who knows it has %s", (_when, busy, idlest, taken) => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("abcd"));
    pool.busy(0, ...busy);
    pool.busy(1, idlest);
    expect(pool.ask(prompt("abcd"))).toStartWith(taken);
  });

  test("who gets a prompt by load knows it from then on", () => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("abcd"));
    pool.busy(0, 9);
    expect(pool.ask(prompt("abcd"))).toBe(`1 by load, ${4 * KIB}`);
    pool.busy(1, 8);
    expect(pool.ask(prompt("abcd"))).toBe("1 by prefix, 0");
  });

  test("of several who know it the least busy, and of these who was chosen longest ago", () => {
    const pool = new Pool({ count: 3 });
    for (const busy of [0, 1]) {
      pool.choose(prompt("abcd"));
      pool.busy(busy, 9);
    }
    // 0 and 1 know it, with 9 requests each; 2 has 5.
    pool.busy(2, 5);
    expect([pool.ask(prompt("abcd")), pool.ask(prompt("abcd"))]).toEqual([
      "0 by prefix, 0",
      "1 by prefix, 0",
    ]);
    pool.busy(0, 1);
    expect(pool.ask(prompt("abcd"))).toBe("1 by prefix, 0");
  });

  test("who knows more of it comes before who knows less, and is less busy", () => {
    const pool = new Pool({ count: 3 });
    pool.choose(prompt("abcd")); // 0
    pool.busy(0, 9);
    pool.choose(prompt("abcdef")); // 1, by load
    pool.busy(1, 8);
    pool.free(0, 9);
    expect(pool.ask(prompt("abcdef"))).toBe("1 by prefix, 0");
  });

  test("what all of them know attracts to none of them: the least busy takes it", () => {
    const pool = new Pool({ count: 3 });
    for (const index of [0, 1, 2]) {
      pool.choose(prompt("ssss"));
      pool.busy(index, 9);
    }
    const names = ["a", "b", "c", "d"].map((own) => pool.start(prompt(`ssss${own}`)));
    expect(names).toEqual(["0", "1", "2", "0"]);
  });

  test("parallel requests with one beginning stay together, until their replica is too busy", () => {
    const pool = new Pool({ count: 2 });
    const names = [..."bcdefghijk"].map((own) => pool.start(prompt(`aaaaaaa${own}`)));
    // The first counts 1 and 8 KiB, each other one 1 and 1 KiB: more than 8 after seven of them.
    expect(names.join("")).toBe("0000000111");
  });

  test("only whole blocks from the beginning are compared, each with all before it", () => {
    const pool = new Pool();
    pool.choose(prompt("aaaa"));
    expect(pool.ask(prompt("aaaabbbb"))).toBe(`0 by prefix, ${4 * KIB}`);
    expect(pool.ask(prompt("bbbb"))).toBe(`1 by load, ${4 * KIB}`);
  });
});

describe("Chooser.choose(), what it costs", () => {
  test.each<[what: string, before: string, text: Uint8Array, bytes: number]>([
    ["new prompt of 255 KiB", "", prompt("a".repeat(255)), 255 * KIB],
    ["new prompt of 256 KiB and a byte", "", prompt("a".repeat(256), 1), 256 * KIB],
    ["prompt of 600 KiB, 320 of them known", "a".repeat(320), prompt("a".repeat(600)), 256 * KIB],
    ["prompt of 600 KiB, 400 of them known", "a".repeat(400), prompt("a".repeat(600)), 200 * KIB],
    ["prompt that is known, all but a byte", "a".repeat(400), prompt("a".repeat(400), 1), 1],
  ])("%s", (_what, before, text, bytes) => {
    const pool = new Pool();
    pool.choose(prompt(before));
    expect(pool.choose(text)?.unreadBytes).toBe(bytes);
  });

  test("what a replica knows counts for it even if too little to attract the request", () => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("a"));
    pool.busy(1, 1);
    expect(pool.ask(prompt("axyz"))).toBe(`0 by load, ${3 * KIB}`);
  });

  test("nothing beyond the first MiB counts, neither as known nor as unread", () => {
    const pool = new Pool();
    const mib = "a".repeat(1024);
    pool.choose(prompt(`${mib}bcd`, 7));
    expect(pool.memory.size).toBe(1024);
    expect(pool.ask(prompt(`${mib}xyz`))).toBe("0 by prefix, 0");
    // Half of the first MiB is known, a quarter of all.
    expect(pool.ask(prompt(`${"a".repeat(512)}${"x".repeat(1536)}`))).toBe(
      `0 by prefix, ${256 * KIB}`,
    );
  });
});
