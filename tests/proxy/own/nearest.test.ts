import { expect, test } from "bun:test";
import { candidates, nearest } from "../../../src/proxy/own/nearest.ts";

test.each<[name: string, names: readonly string[], expected: readonly string[]]>([
  ["qwen3-8b", ["llama-3", "Qwen3-8B", "qwen3-80b"], ["Qwen3-8B", "qwen3-80b"]],
  ["abc", ["abx", "xyz", "abcd", "abxy"], ["abx", "abcd"]],
  ["LLAMA", ["llama"], ["llama"]],
  ["M", ["n", "m", "mm"], ["m"]],
  ["", ["b", "aa"], []],
  ["qq:latest", ["yi:latest", "llama3:latest"], []],
  ["Llama3:latest", ["yi:latest", "llama3:latest"], ["llama3:latest"]],
  ["x", [], []],
  // one name contains the other
  [
    "qwen3",
    ["Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "8b"],
    ["Qwen/Qwen3-235B-A22B-Instruct-2507-FP8"],
  ],
  ["openai/my-whisper-turbo-2", ["whisper", "sd"], ["whisper"]],
  ["8b", ["granite-4-8b-it-instruct"], []],
  // a common word
  [
    "llama3.2:3b",
    ["gemma3:4b", "meta-llama/Meta-Llama-3.1-70B"],
    ["meta-llama/Meta-Llama-3.1-70B"],
  ],
  ["gpt-4o", ["gpt-oss-120b", "bge-m3"], ["gpt-oss-120b"]],
  // a common word that only names a variant
  ["mistral-7b-instruct-gguf", ["qwen2.5-coder-32b-instruct-gguf"], []],
  ["text-embedding-3-large", ["whisper-large-v3"], []],
  ["gpt-4o", ["llama-3", "bge-m3", "whisper"], []],
])("nearest() to %p among %p returns %p", (name, names, expected) => {
  expect(nearest(name, names, 10)).toEqual([...expected]);
});

test("nearest() returns at most the requested number, and is fast with long names", () => {
  const names = Array.from({ length: 200 }, (_, n) => `${"x".repeat(5_000)}${n}`);
  const startMs = performance.now();
  expect(nearest("x".repeat(100_000), names, 3)).toHaveLength(3);
  expect(nearest("y".repeat(100_000), names, 3)).toEqual([]);
  expect(performance.now() - startMs).toBeLessThan(500);
});

const MANY = Array.from(
  { length: 10_000 },
  (_, n) => `Organisation-${n % 97}/some-model-name-${n}-instruct-q4_k_m-gguf`,
);

test.each<[typo: string, meant: string]>([
  ["organisation-70/some-model-name-1234-instruct-q4_k_m-guf", MANY[1234] ?? ""],
  ["some-model-name-1234-instruct-q4_k_m-gguf", MANY[1234] ?? ""],
  ["ORGANISATION-0/SOME_MODEL-NAME-0-INSTRUCT", MANY[0] ?? ""],
])("nearest() finds the intended name for %p among 10,000", (typo, meant) => {
  expect(nearest(typo, MANY, 10)).toContain(meant);
});

test("nearest() compares only 32 of 10,000 names, and takes about 1 ms of CPU time", () => {
  for (const name of [MANY[5] ?? "", "x", "", "y".repeat(100_000), "İ".repeat(64)]) {
    expect(candidates(name, MANY)).toHaveLength(32);
  }
  expect(candidates("x", MANY.slice(0, 32))).toEqual(MANY.slice(0, 32));
  for (let n = 0; n < 100; n += 1) nearest(`warm-${n}`, MANY, 10);
  const before = process.cpuUsage();
  for (let n = 0; n < 200; n += 1) nearest(`${MANY[n]}x`, MANY, 10);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000 / 200).toBeLessThan(4); // comparing all took 145 ms
});

test("nearest() compares names that get longer in lower case", () => {
  const meant = `${"İ".repeat(63)}x`;
  expect(nearest("İ".repeat(64), ["x", meant], 2)).toEqual([meant]);
});
