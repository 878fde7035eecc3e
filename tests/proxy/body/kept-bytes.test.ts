import { describe, expect, test } from "bun:test";
import { KeptBytes } from "../../../src/proxy/body/kept-bytes.ts";

describe("KeptBytes", () => {
  test("limits the bytes of one request", () => {
    const keep = new KeptBytes(100).open();
    expect([keep.take(60), keep.take(40), keep.take(1)]).toEqual([
      "taken",
      "taken",
      "request limit",
    ]);
  });

  test("limits all requests together to four times that", () => {
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

  test("counts bytes out once, after give() and after end()", () => {
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

  test("counts reserved bytes together with kept ones, and counts them out once", () => {
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

  test("limits bytes for one request, and memory for all requests together", () => {
    const kept = new KeptBytes(100);
    const keep = kept.open();
    expect([keep.take(10, 400), kept.total]).toEqual(["taken", 400]);
    expect(keep.take(90, 1)).toBe("total limit");
    keep.give(400);
    expect([keep.take(91, 1), keep.take(90, 1)]).toEqual(["request limit", "taken"]);
  });
});
