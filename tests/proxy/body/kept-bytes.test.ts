import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";

describe("KeptBytes", () => {
  test("one request may keep so much and no more", () => {
    const keep = new KeptBytes(100).open();
    expect([keep.take(60), keep.take(40), keep.take(1)]).toEqual([
      "taken",
      "taken",
      "request limit",
    ]);
  });

  test("all together may keep four times that", () => {
    const kept = new KeptBytes(100);
    const keeps = Array.from({ length: 5 }, () => kept.open());
    expect(keeps.map((keep) => keep.take(100))).toEqual([
      "taken",
      "taken",
      "taken",
      "taken",
      "total limit",
    ]);
    keeps[0]!.give(30);
    expect([keeps[4]!.take(31), keeps[4]!.take(30)]).toEqual(["total limit", "taken"]);
  });

  test("what is given on or given up is counted out once", () => {
    const kept = new KeptBytes(100);
    const keep = kept.open();
    keep.take(80);
    keep.give(50);
    keep.give(50);
    expect(kept.total).toBe(0);
    keep.take(10);
    keep.end();
    keep.end();
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
