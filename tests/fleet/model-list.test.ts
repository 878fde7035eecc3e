import { describe, expect, test } from "bun:test";
import { type ModelList, parseModels } from "../../src/fleet/model-list.ts";
import { ModelsUnreadable } from "../../src/fleet/models-failure.ts";
import type { Model } from "../../src/routing/backend.ts";

const MIB = 1024 * 1024;

function parse(text: string): Promise<ModelList> {
  return parseModels(text, new AbortController().signal);
}

function nested(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

describe("parseModels()", () => {
  test("keeps each object exactly as written, in lists of any length", async () => {
    const odd = '{ "id":"a", "n":12345678901234567890, "f":1.0, "2":1, "1":2, "x":"\\u00fc\\/" }';
    const long = `{"id":"long","text":"${"ü".repeat(2 * MIB)}"}`;
    const { models, leftOut } = await parse(`{"object":"list","data":[${odd} , ${long}]}`);
    expect(models.map(({ id }) => id)).toEqual(["a", "long"]);
    expect(models.map(({ json }) => json === odd || json === long)).toEqual([true, true]);
    expect(leftOut).toBeUndefined();
  });

  test.each<[why: string, text: string]>([
    ["the last of two keys", '{"data":1,"data":[{"id":"a"}]}'],
    ["a key with an escape", '{"d\\u0061ta":[{"id":"a"}]}'],
    [
      "beside other keys",
      '{"models":[{"name":"x"}],"data":[{"id":"a"}],"x":{"data":[{"id":"b"}]}}',
    ],
  ])("takes data that is %s", async (_why, text) => {
    expect((await parse(text)).models.map(({ id }) => id)).toEqual(["a"]);
  });

  test.each<[why: string, entry: string, reason: string]>([
    [
      "41,000 levels deep",
      `{"id":"deep","x":${nested(41_000)}}`,
      'model "deep" is nested more than 100 levels deep',
    ],
    [
      "101 levels deep",
      `{"x":${nested(100)},"id":"deep"}`,
      'model "deep" is nested more than 100 levels deep',
    ],
    [
      "nested deep without an id",
      `{"x":${nested(200)}}`,
      "model number 2 is nested more than 100 levels deep",
    ],
    [
      "with too many values",
      `{"id":"many","x":[${"{},".repeat(30_000)}1]}`,
      'model "many" has more than 50000 values',
    ],
    [
      "with an id over 64 KiB",
      `{"id":"${"y".repeat(65_537)}"}`,
      `model "${"y".repeat(60)}…" has an id over 64 KiB`,
    ],
    [
      "with an id over 64 KiB of UTF-8",
      `{"id":"${"ü".repeat(32_769)}"}`,
      `model "${"ü".repeat(60)}…" has an id over 64 KiB`,
    ],
  ])("leaves out an entry %s, says why, and keeps the others", async (_why, entry, reason) => {
    const list = await parse(`{"data":[{"id":"a"},${entry},{"id":"b"}]}`);
    expect(list.models.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(list.leftOut).toBe(`the proxy left out 1 entry of its model list: ${reason}`);
  });

  test("keeps entries just within the limits", async () => {
    const id = "i".repeat(65_536);
    const list = await parse(
      `{"data":[{"id":"${id}"},{"id":"d","x":${nested(99)}},{"id":"v","x":[${"1,".repeat(49_000)}1]}]}`,
    );
    expect([list.models.length, list.leftOut]).toEqual([3, undefined]);
  });

  test.each<[what: string, text: string, ids: string[]]>([
    ["null instead of a list", '{"object":"list","data":null}', []],
    ["null with white space around it", '{ "data" : null }', []],
    ["a list without entries", '{"data":[]}', []],
    ["a bare list", ' [ {"id":"a"} , {"id":"b"} ] ', ["a", "b"]],
    ["a bare list without entries", "[]", []],
  ])("takes %s", async (_what, text, ids) => {
    const { models, leftOut } = await parse(text);
    expect([models.map(({ id }) => id), leftOut]).toEqual([ids, undefined]);
  });

  test.each<[what: string, entry: string]>([
    ["is a string", '"b"'],
    ["is null", "null"],
    ["is a number", "1"],
    ["is a list", '[{"id":"b"}]'],
    ["is a deep list", nested(41_000)],
    ["has no id", '{"name":"b"}'],
    ["has null as its id", '{"id":null}'],
    ["has a number as its id", '{"id":1}'],
    ["has an empty id", '{"id":""}'],
  ])("leaves out an entry that %s, and keeps the others", async (_what, entry) => {
    for (const text of [
      `{"data":[{"id":"a"},${entry},{"id":"c"}]}`,
      `[{"id":"a"},${entry},{"id":"c"}]`,
    ]) {
      const { models, leftOut } = await parse(text);
      expect(models.map(({ id }) => id)).toEqual(["a", "c"]);
      expect(leftOut).toBe(
        "the proxy left out 1 entry of its model list: model number 2 has no id",
      );
    }
  });

  test.each<[what: string, text: string]>([
    ["without any id", '{"data":[{"name":"a"},"b",{"id":""}]}'],
    ["of strings", '["/v1","/v2"]'],
    ["that is an object", '{"data":{"id":"a"}}'],
    ["that is a string", '{"data":"null"}'],
    ["that is a number", '{"data":0}'],
    ["that is missing", '{"models":[{"id":"a"}]}'],
    ["if the whole answer is null", "null"],
  ])("refuses a list %s", async (_what, text) => {
    const error = await parse(text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ModelsUnreadable);
    expect(String(error)).toContain('the answer has no list "data" of objects with an "id"');
  });

  test("counts all entries that are left out, and names the first", async () => {
    const entries = Array.from({ length: 3 }, (_, n) => `{"id":"m${n}","x":${nested(150)}}`);
    const { models, leftOut } = await parse(`{"data":[${entries}]}`);
    expect([models.length, leftOut]).toEqual([
      0,
      'the proxy left out 3 entries of its model list, for example: model "m0" is nested more than 100 levels deep',
    ]);
  });

  test.each<[what: string, text: string]>([
    ["an entry that is cut off", '{"data":[{"id":"a"},{"id":'],
    ["an entry that is not JSON", '{"data":[{"id":"a",oops}]}'],
    ["text after the list", '{"data":[]} {}'],
    ["text after a bare list", '[{"id":"a"}] {}'],
    ["a bare list that is cut off", '[{"id":"a"},'],
    ["a bare list of 16 MiB of open brackets", "[".repeat(16 * MIB)],
    ["a trailing comma", '{"data":[{"id":"a"},]}'],
    ["16 MiB of open brackets", `{"data":${"[".repeat(16 * MIB)}`],
  ])("refuses %s", async (_what, text) => {
    // Without `.rejects`: it runs the event loop itself, where setImmediate() waits for the next timer. For
    // 16 MiB, which take a dozen turns, it took 5 to 9 s instead of 70 ms (measured, Bun 1.4.5).
    const error = await parse(text).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain("the answer is not JSON: it begins with");
  });
});

describe("parseModels(), names besides the id", () => {
  async function first(entry: string): Promise<Model | undefined> {
    return (await parse(`{"data":[${entry}]}`)).models[0];
  }

  test("takes aliases and the parent, as llama.cpp and SGLang list them", async () => {
    expect(await first('{"id":"a","aliases":["b","org/c"],"parent":"base"}')).toMatchObject({
      aliases: ["b", "org/c"],
      parent: "base",
    });
  });

  test.each<[what: string, fields: string]>([
    ["none", '"x":1'],
    ["null", '"aliases":null,"parent":null'],
    ["empty values", '"aliases":[],"parent":""'],
    ["other types", '"aliases":{"0":"b"},"parent":["base"]'],
    ["strings", '"aliases":"b,c","parent":1'],
    ["wrong elements", `"aliases":[1,null,"",["b"],{"id":"b"},"${"y".repeat(65_537)}"]`],
    ["its own id", '"aliases":["a"]'],
    ["a parent over 64 KiB", `"parent":"${"ü".repeat(32_769)}"`],
  ])("ignores invalid names without a message: %s", async (_what, fields) => {
    const { models, leftOut } = await parse(`{"data":[{"id":"a",${fields}}]}`);
    expect(models.map((model) => Object.keys(model))).toEqual([["id", "json"]]);
    expect(leftOut).toBeUndefined();
  });

  test("keeps valid names beside invalid ones, each once", async () => {
    const model = await first('{"id":"a","aliases":["b",1,"b","a","","c"]}');
    expect(model?.aliases).toEqual(["b", "c"]);
  });

  test("takes at most 100 aliases of one entry, and 10,000 of a list", async () => {
    const entry = (n: number, count: number): string =>
      `{"id":"m${n}","aliases":[${Array.from({ length: count }, (_, k) => `"a${n}-${k}"`)}]}`;
    expect((await first(entry(0, 49_000)))?.aliases).toHaveLength(100);
    const entries = Array.from({ length: 150 }, (_, n) => entry(n, 99));
    const { models, leftOut } = await parse(`{"data":[${entries}]}`);
    const counts = models.map(({ aliases }) => aliases?.length ?? 0);
    expect([models.length, counts[0], counts[100], counts[101], counts[149]]).toEqual([
      150, 99, 99, 1, 0,
    ]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(10_000);
    expect(leftOut).toBeUndefined();
  });
});

/** The longest time for which the parser blocked the event loop, ms. */
async function longestStall(text: string): Promise<number> {
  let longest = 0;
  let lastMs = performance.now();
  const beat = (): void => {
    const nowMs = performance.now();
    longest = Math.max(longest, nowMs - lastMs);
    lastMs = nowMs;
  };
  const timer = setInterval(beat, 1);
  await parse(text).catch(() => undefined);
  clearInterval(timer);
  beat();
  return longest;
}

function filled(part: string): string {
  return part.repeat(Math.floor((16 * MIB) / part.length));
}

// JSON.parse takes 0.9 to 2.7 s for each of the first four.
test.each<[what: string, text: () => string]>([
  ["empty objects in an entry", () => `{"data":[{"id":"a","x":[${filled("{},")}1]}]}`],
  ["nested lists", () => `{"data":[{"id":"a","x":${nested(8 * MIB)}}]}`],
  ["open brackets", () => "[".repeat(16 * MIB)],
  ["open brackets in data", () => `{"data":${"[".repeat(16 * MIB)}`],
  ["empty lists as entries", () => `{"data":[${filled("[],")}1]}`],
  ["empty lists in a bare list", () => `[${filled("[],")}1]`],
  [
    "aliases",
    () => `{"data":[${filled(`{"id":"a","aliases":[${'"b",'.repeat(9_000)}"c"]},`)}{"id":"a"}]}`,
  ],
  ["entries", () => `{"data":[${filled('{"id":"a"},')}{"id":"a"}]}`],
  ["keys beside data", () => `{${filled('"a":1,')}"data":[]}`],
  [
    "entries of many values each",
    () => `{"data":[${filled(`{"id":"a","x":[${"{},".repeat(9_000)}1]},`)}{"id":"a"}]}`,
  ],
])(
  "parseModels() of 16 MiB of %s does not block the event loop",
  async (_what, text) => {
    await longestStall(text().slice(0, MIB)); // to compile the code
    expect(await longestStall(text())).toBeLessThan(400);
  },
  20_000,
);
