import { describe, expect, test } from "bun:test";
import { HeldBytes } from "../../src/proxy/held-bytes.ts";

describe("HeldBytes", () => {
  test("one request may hold so much and no more", () => {
    const hold = new HeldBytes(100).open();
    expect([hold.take(60), hold.take(40), hold.take(1)]).toEqual([
      "taken",
      "taken",
      "request limit",
    ]);
  });

  test("all together may hold four times that", () => {
    const held = new HeldBytes(100);
    const holds = Array.from({ length: 5 }, () => held.open());
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
    const held = new HeldBytes(100);
    const hold = held.open();
    hold.take(80);
    hold.give(50);
    hold.give(50);
    expect(held.total).toBe(0);
    hold.take(10);
    hold.end();
    hold.end();
    expect(held.total).toBe(0);
  });

  test("all together may await as much as one may hold, counted apart from what is held", () => {
    const held = new HeldBytes(100);
    held.open().take(100);
    const came = held.expect(60);
    expect(came).toBeFunction();
    expect(held.expect(41)).toBeUndefined();
    came!();
    expect(held.expect(100)).toBeFunction();
    expect(held.total).toBe(100);
  });
});
