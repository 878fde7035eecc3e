/**
 * Each line of the pseudo code of issue 16. `choose-live.test.ts` tests which replicas can be chosen;
 * `choose-random.test.ts` tests all lines together.
 */
import { describe, expect, test } from "bun:test";
import { Pool, prompt } from "../support/routing/pool.ts";

const KIB = 1024;

type Busy = readonly [requests: number, unreadBytes: number];

/** Unless a test says otherwise, the first request of a pool goes to replica 0, because all are idle. */
describe("Chooser.choose(), by load", () => {
  test("with equal loads, takes the replica that was chosen longest ago", () => {
    const pool = new Pool();
    const names = Array.from({ length: 6 }, () => pool.choose(undefined)?.replica.name);
    expect(names).toEqual(["0", "1", "2", "0", "1", "2"]);
  });

  test.each<[what: string, busy: readonly Busy[], taken: string]>([
    ["requests in flight", [[1, 0]], "1"],
    ["a single unread byte", [[0, 1]], "1"],
    [
      "8 KiB of unread bytes as one request",
      [
        [1, 0],
        [0, 8 * KIB],
        [2, 0],
      ],
      "0",
    ],
    [
      "more than 8 KiB as more than one request",
      [
        [0, 8 * KIB + 1],
        [1, 0],
        [2, 0],
      ],
      "1",
    ],
    [
      "less than 8 KiB as less than one request",
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
    ["the whole prompt", prompt("abcd"), "0 by prefix, 0"],
    ["more than half", prompt("abcdxyz"), `0 by prefix, ${3 * KIB}`],
    ["half", prompt("abcdwxyz"), `0 by prefix, ${4 * KIB}`],
    ["one byte less than half", prompt("abcdwxyz", 1), `1 by load, ${8 * KIB + 1}`],
    ["all but the first block", prompt("xbcd"), `1 by load, ${4 * KIB}`],
    ["nothing", prompt("wxyz"), `1 by load, ${4 * KIB}`],
    ["a part that ends inside a block", prompt("ab", 500), "0 by prefix, 500"],
  ])("a replica knows of the prompt: %s", (_what, text, taken) => {
    const pool = new Pool();
    pool.choose(prompt("abcd"));
    expect(pool.ask(text)).toBe(taken);
  });

  test("an incomplete last block is not remembered", () => {
    const pool = new Pool();
    pool.choose(prompt("a", KIB - 1));
    expect(pool.memory.size).toBe(1);
    // The last 1023 bytes are the same, but count as unread.
    expect(pool.ask(prompt("a", KIB - 1))).toBe(`0 by prefix, ${KIB - 1}`);
  });

  test.each<[when: string, busy: Busy, idlest: number, taken: string]>([
    ["8 requests, and another replica has none", [8, 0], 0, "0 by prefix"],
    ["8 requests and one byte, and another replica has none", [8, 1], 0, "1 by load"],
    ["twice as many requests as another replica, plus 8", [14, 0], 3, "0 by prefix"],
    ["twice as many requests as another replica, plus 8 and one byte", [14, 1], 3, "1 by load"],
  ])("the replica that knows the prompt has %s", (_when, busy, idlest, taken) => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("abcd"));
    pool.busy(0, ...busy);
    pool.busy(1, idlest);
    expect(pool.ask(prompt("abcd"))).toStartWith(taken);
  });

  test("a replica that gets a prompt by load knows it from then on", () => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("abcd"));
    pool.busy(0, 9);
    expect(pool.ask(prompt("abcd"))).toBe(`1 by load, ${4 * KIB}`);
    pool.busy(1, 8);
    expect(pool.ask(prompt("abcd"))).toBe("1 by prefix, 0");
  });

  test("of several that know the prompt, takes the least busy one, then the one chosen longest ago", () => {
    const pool = new Pool({ count: 3 });
    for (const busy of [0, 1]) {
      pool.choose(prompt("abcd"));
      pool.busy(busy, 9);
    }
    // 0 and 1 know the prompt and have 9 requests each; 2 has 5.
    pool.busy(2, 5);
    expect([pool.ask(prompt("abcd")), pool.ask(prompt("abcd"))]).toEqual([
      "0 by prefix, 0",
      "1 by prefix, 0",
    ]);
    pool.busy(0, 1);
    expect(pool.ask(prompt("abcd"))).toBe("1 by prefix, 0");
  });

  test("a replica that knows more of the prompt wins over a less busy one that knows less", () => {
    const pool = new Pool({ count: 3 });
    pool.choose(prompt("abcd")); // 0
    pool.busy(0, 9);
    pool.choose(prompt("abcdef")); // 1, by load
    pool.busy(1, 8);
    pool.free(0, 9);
    expect(pool.ask(prompt("abcdef"))).toBe("1 by prefix, 0");
  });

  test("if all replicas know the same part, the least busy one gets the request", () => {
    const pool = new Pool({ count: 3 });
    for (const index of [0, 1, 2]) {
      pool.choose(prompt("ssss"));
      pool.busy(index, 9);
    }
    const names = ["a", "b", "c", "d"].map((own) => pool.start(prompt(`ssss${own}`)));
    expect(names).toEqual(["0", "1", "2", "0"]);
  });

  test("parallel requests with the same beginning stay together until their replica is too busy", () => {
    const pool = new Pool({ count: 2 });
    const names = [..."bcdefghijk"].map((own) => pool.start(prompt(`aaaaaaa${own}`)));
    // The first request counts 1 and 8 KiB, each other one 1 and 1 KiB: more than 8 after seven others.
    expect(names.join("")).toBe("0000000111");
  });

  test("compares only whole blocks from the beginning, each with all blocks before it", () => {
    const pool = new Pool();
    pool.choose(prompt("aaaa"));
    expect(pool.ask(prompt("aaaabbbb"))).toBe(`0 by prefix, ${4 * KIB}`);
    expect(pool.ask(prompt("bbbb"))).toBe(`1 by load, ${4 * KIB}`);
  });
});

describe("Chooser.choose(), the unread bytes of a", () => {
  test.each<[what: string, before: string, text: Uint8Array, bytes: number]>([
    ["new prompt of 255 KiB", "", prompt("a".repeat(255)), 255 * KIB],
    ["new prompt of 256 KiB and one byte", "", prompt("a".repeat(256), 1), 256 * KIB],
    ["prompt of 600 KiB, 320 KiB of it known", "a".repeat(320), prompt("a".repeat(600)), 256 * KIB],
    ["prompt of 600 KiB, 400 KiB of it known", "a".repeat(400), prompt("a".repeat(600)), 200 * KIB],
    ["prompt that is known except for one byte", "a".repeat(400), prompt("a".repeat(400), 1), 1],
  ])("%s", (_what, before, text, bytes) => {
    const pool = new Pool();
    pool.choose(prompt(before));
    expect(pool.choose(text)?.unreadBytes).toBe(bytes);
  });

  test("prompt of which a replica knows too little to attract it, but gets it by load", () => {
    const pool = new Pool({ count: 2 });
    pool.choose(prompt("a"));
    pool.busy(1, 1);
    expect(pool.ask(prompt("axyz"))).toBe(`0 by load, ${3 * KIB}`);
  });

  test("prompt of more than 1 MiB: only the first MiB counts", () => {
    const pool = new Pool();
    const mib = "a".repeat(1024);
    pool.choose(prompt(`${mib}bcd`, 7));
    expect(pool.memory.size).toBe(1024);
    expect(pool.ask(prompt(`${mib}xyz`))).toBe("0 by prefix, 0");
    // Half of the first MiB is known, and a quarter of the whole prompt.
    expect(pool.ask(prompt(`${"a".repeat(512)}${"x".repeat(1536)}`))).toBe(
      `0 by prefix, ${256 * KIB}`,
    );
  });
});
