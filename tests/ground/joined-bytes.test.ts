import { describe, expect, test } from "bun:test";
import { JoinedBytes } from "../../src/ground/joined-bytes.ts";

describe("JoinedBytes", () => {
  test("keeps pieces of any size in order", () => {
    const joined = new JoinedBytes();
    const pieces = [[1], [], [2, 3], Array.from({ length: 1_000 }, (_, index) => index % 256), [9]];
    for (const piece of pieces) joined.append(Uint8Array.from(piece));
    expect(joined.length).toBe(1_004);
    expect([...joined.bytes]).toEqual(pieces.flat());
  });

  test("takes at most twice the memory of the data, except for a few bytes", () => {
    const joined = new JoinedBytes();
    for (let count = 0; count < 100_000; count += 1) joined.append(Uint8Array.of(count));
    expect(joined.bytes.buffer.byteLength).toBeLessThanOrEqual(200_000);
    expect(joined.bytes.at(-1)).toBe(99_999 % 256);
  });

  test("is empty after clear() and can be used again", () => {
    const joined = new JoinedBytes();
    joined.append(Uint8Array.of(1, 2));
    joined.clear();
    expect(joined.length).toBe(0);
    joined.append(Uint8Array.of(3));
    expect([...joined.bytes]).toEqual([3]);
  });

  test("compares its bytes with a text and finds single bytes, even after longer content", () => {
    const joined = new JoinedBytes();
    joined.append(Buffer.from("model\\"));
    joined.clear();
    joined.append(Buffer.from("mod"));
    joined.append(Buffer.from("e"));
    expect(["mode", "mod", "model", "Mode", ""].map((text) => joined.is(text))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(Array.from("ml\\", (letter) => joined.has(letter.charCodeAt(0)))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
