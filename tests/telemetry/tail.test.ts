import { expect, test } from "bun:test";
import { Tail } from "../../src/telemetry/tail.ts";

const KEPT = 16 * 1024;

/** The expected tail of these pieces. */
function tailOf(sizes: readonly number[]): { readonly got: string; readonly wanted: string } {
  const tail = new Tail();
  let all = "";
  for (const [index, size] of sizes.entries()) {
    const piece = String.fromCharCode(97 + (index % 26)).repeat(size);
    all += piece;
    tail.push(Buffer.from(piece));
  }
  expect(tail.isCut).toBe(all.length > KEPT);
  return { got: tail.text, wanted: all.slice(-KEPT) };
}

test.each([
  [[]],
  [[0, 0]],
  [[1]],
  [[1_024]],
  [[1_023, 2]],
  [[KEPT]],
  [[KEPT, 1]],
  [[KEPT + 1]],
  [[500, 20_000]],
  [[500, 20_000, 3]],
  [[10_000, 10_000, 10_000, 10_000]],
  [[5_000_000]],
  [Array.from({ length: 2_000 }, () => 37)],
])("Tail keeps the last 16 KiB of pieces of %p bytes", (sizes) => {
  const { got, wanted } = tailOf(sizes);
  expect(got).toBe(wanted);
});

test("Tail keeps the last 16 KiB of random pieces", () => {
  for (let round = 0; round < 300; round += 1) {
    const count = Math.floor(Math.random() * 40);
    const sizes = Array.from({ length: count }, () => Math.floor(Math.random() ** 4 * 20_000));
    const { got, wanted } = tailOf(sizes);
    expect(got === wanted, `pieces of ${sizes.join()}`).toBe(true);
  }
});

test("Tail keeps its own copy, so the caller can reuse pieces", () => {
  const tail = new Tail();
  const piece = Buffer.from("abc");
  tail.push(piece);
  piece.fill("x");
  expect(tail.text).toBe("abc");
});
