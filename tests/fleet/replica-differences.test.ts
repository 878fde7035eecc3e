import { describe, expect, test } from "bun:test";
import { modelWithoutEntry } from "../../src/fleet/model-entry.ts";
import { differencesBetween, differencesText } from "../../src/fleet/replica-differences.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { makeBackend } from "../support/server/backends.ts";

/** A backend whose list has these entries, exactly as written. */
function serving(name: string, entries: Readonly<Record<string, string>>): Backend {
  const backend = makeBackend({ name });
  backend.replaceModels(Object.entries(entries).map(([id, json]) => ({ id, json })));
  return backend;
}

/** The differences of two entries of one model, exactly as written. */
function textOf(one: string, other: string): string {
  return differencesText(differencesBetween(serving("a", { m: one }), serving("b", { m: other })));
}

describe("differencesBetween()", () => {
  test.each<[what: string, one: object, other: object, text: string]>([
    [
      "another length",
      { max_model_len: 8192 },
      { max_model_len: 4096 },
      "max_model_len is 8192 on a and 4096 on b",
    ],
    [
      "another server",
      { owned_by: "vllm" },
      { owned_by: "sglang" },
      'owned_by is "vllm" on a and "sglang" on b',
    ],
    [
      "another quantization",
      { quantization: "Q4_K_M" },
      { quantization: "Q8_0" },
      'quantization is "Q4_K_M" on a and "Q8_0" on b',
    ],
    [
      "another file of llama.cpp",
      { owned_by: "llamacpp", meta: { n_params: 8030261312, size: 4912898304 } },
      { owned_by: "llamacpp", meta: { n_params: 8030261312, size: 8533221376 } },
      "meta.size is 4912898304 on a and 8533221376 on b",
    ],
    [
      "several differences",
      { owned_by: "vllm", max_model_len: 1 },
      { owned_by: "sglang", max_model_len: 2 },
      'owned_by is "vllm" on a and "sglang" on b, max_model_len is 1 on a and 2 on b',
    ],
  ])("finds %s", (_what, one, other, text) => {
    expect(textOf(JSON.stringify(one), JSON.stringify(other))).toBe(`model m: ${text}`);
  });

  test.each<[what: string, one: string, other: string]>([
    ["the time of the request", '{"created":1}', '{"created":2}'],
    ["a field that only one has", '{"max_model_len":1}', '{"owned_by":"vllm"}'],
    ["a length that is null for an adapter", '{"max_model_len":1}', '{"max_model_len":null}'],
    ["values of other types", '{"quantization":{"bits":4}}', '{"quantization":{"bits":8}}'],
    ["a meta that is not an object", '{"meta":"size"}', '{"meta":{"size":1}}'],
    ["one number in two forms", '{"max_model_len":8192}', '{"max_model_len":8.192e3}'],
    [
      "a key that occurs twice with the same last value",
      '{"owned_by":"a","owned_by":"b"}',
      '{"owned_by":"b"}',
    ],
    ["the fields of an inner object", '{"x":{"owned_by":"a"}}', '{"x":{"owned_by":"b"}}'],
  ])("does not count %s", (_what, one, other) => {
    expect(textOf(one, other)).toBe("");
  });

  test("the owner in an entry of our own is the container's name: no difference", () => {
    const entry = (owner: string): string => modelWithoutEntry("m", owner).json;
    expect(textOf(entry("a"), entry("b"))).toBe("");
    expect(textOf(entry("a"), '{"owned_by":"vllm"}')).toBe("");
  });

  test("the order of the servers does not depend on the order of the arguments", () => {
    const one = serving("one", { m: '{"max_model_len":1}' });
    const other = serving("other", { m: '{"max_model_len":2}' });
    expect(differencesBetween(other, one)).toEqual(differencesBetween(one, other));
  });

  test("compares only models that both have, at any position", () => {
    const one = serving("one", { x: '{"max_model_len":1}', m: '{"max_model_len":1}' });
    const other = serving("other", { m: '{"max_model_len":2}', y: '{"max_model_len":2}' });
    expect(differencesBetween(one, other).all.map(({ modelId }) => modelId)).toEqual(["m"]);
  });

  const HALF = '{"max_model_len":1,"owned_by":';

  test.each<[what: string, json: string]>([
    ["not JSON", "<html>"],
    ["empty", ""],
    ["a list", '["max_model_len"]'],
    ["half an entry", HALF],
    ["an invalid escape", String.raw`{"max_model_len":1,"\x":2}`],
    ["an invalid value", '{"max_model_len":1,"owned_by":nope}'],
    ["an invalid value in meta", '{"max_model_len":1,"meta":{"size":nope}}'],
    ["too long", JSON.stringify({ max_model_len: 1, x: "x".repeat(16 * 1024) })],
    ["too many members before the field", `{${'"x":0,'.repeat(100)}"max_model_len":1}`],
    ["a number that is too long", `{"max_model_len":${"1".repeat(2_000)}}`],
  ])("ignores an entry and does not throw: %s", (_what, json) => {
    expect(textOf(json, '{"max_model_len":2,"owned_by":"vllm","meta":{"size":1}}')).toBe("");
  });

  test("compares the other entries if one is too long", () => {
    const long = JSON.stringify({ x: "x".repeat(1024 * 1024) });
    const one = serving("one", { long, m: '{"max_model_len":1}' });
    const other = serving("other", { long: "{}", m: '{"max_model_len":2}' });
    expect(differencesBetween(one, other).all.map(({ modelId }) => modelId)).toEqual(["m"]);
  });

  test("compares the beginnings of two lists of 16 MiB and 10,000 models, in little time", () => {
    const list = (length: number): Readonly<Record<string, string>> =>
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, n) => [
          `${n}`,
          `{"max_model_len":${length},${'"":0,'.repeat(270)}"x":0}`,
        ]),
      );
    const [one, other] = [serving("one", list(1)), serving("other", list(2))];
    const beganMs = performance.now();
    const { all } = differencesBetween(one, other);
    const tookMs = performance.now() - beganMs;
    expect(all.length).toBeWithin(100, 200);
    expect(tookMs).toBeLessThan(500); // about 10 ms on a quiet machine
  });
});
