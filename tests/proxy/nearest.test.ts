import { expect, test } from "bun:test";
import { nearest } from "../../src/proxy/nearest.ts";

test.each<[name: string, names: readonly string[], expected: readonly string[]]>([
  ["qwen3-8b", ["llama-3", "Qwen3-8B", "qwen3-80b"], ["Qwen3-8B", "qwen3-80b", "llama-3"]],
  ["abc", ["abx", "xyz", "abcd"], ["abx", "abcd", "xyz"]],
  ["", ["b", "aa"], ["b", "aa"]],
  ["x", [], []],
])("nearest() to %p of %p is %p", (name, names, expected) => {
  expect(nearest(name, names, 10)).toEqual([...expected]);
});

test("nearest() gives no more than it is asked for, and is quick about long names", () => {
  const names = Array.from({ length: 200 }, (_, n) => `${"x".repeat(5_000)}${n}`);
  const startMs = performance.now();
  expect(nearest("y".repeat(100_000), names, 3)).toHaveLength(3);
  expect(performance.now() - startMs).toBeLessThan(500);
});
