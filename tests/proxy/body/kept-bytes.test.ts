import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";

describe("KeptBytes", () => {
  test("one request may hold so much and no more", () => {
    const hold = new KeptBytes(100).open();
    expect([hold.take(60), hold.take(40), hold.take(1)]).toEqual([
      "taken",
      "taken",
      "request limit",
    ]);
  });

  test("all together may hold four times that", () => {
    const kept = new KeptBytes(100);
    const holds = Array.from({ length: 5 }, () => kept.open());
    expect(holds.map((hold) => hold.take(100))).toEqual([
      "taken",
      "taken",
      "taken",
      "taken",
      "total limit",
    ]);
    holds[0]!.give(30);
    expect([holds[4]!.take(31), holds[4]!.take(30)]).toEqual(["total limit", "taken"]);
  });

  test("what is given on or given up is counted out once", () => {
    const kept = new KeptBytes(100);
    const hold = kept.open();
    hold.take(80);
    hold.give(50);
    hold.give(50);
    expect(kept.total).toBe(0);
    hold.take(10);
    hold.end();
    hold.end();
    expect(kept.total).toBe(0);
  });

  test("what is reserved counts with what is kept, and is counted out once", () => {
    const kept = new KeptBytes(100);
    kept.open().take(100);
    const end = kept.reserve(300);
    expect([kept.total, kept.reserve(1), kept.open().take(1)]).toEqual([
      400,
      undefined,
      "total limit",
    ]);
    end?.();
    end?.();
    expect(kept.total).toBe(100);
  });

  test("of one request the bytes are limited, of all together the memory", () => {
    const kept = new KeptBytes(100);
    const keep = kept.open();
    expect([keep.take(10, 400), kept.total]).toEqual(["taken", 400]);
    expect(keep.take(90, 1)).toBe("total limit");
    keep.give(400);
    expect([keep.take(91, 1), keep.take(90, 1)]).toEqual(["request limit", "taken"]);
  });
});
