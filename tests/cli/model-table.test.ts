import { describe, expect, test } from "bun:test";
import { Model, type ModelStatus, modelLines } from "../../src/cli/model-table.ts";
import { recent } from "../support/proxy/recent.ts";

const ONE = [{ container: "vllm-1", gets: "all" }];

function model(id: string, more: object = {}): ModelStatus {
  return Model.parse({ id, waiting: 0, in_flight: 0, servers: ONE, recent: null, ...more });
}

/** The cells of a model's row, by heading. */
function cells(more: object): Readonly<Record<string, string>> {
  const [headings = "", row = ""] = modelLines([model("m", more)], 0);
  const names = headings.split(/ {2,}/);
  const ends = names.map((name) => headings.indexOf(name));
  return Object.fromEntries(
    names.map((name, index) => [name, row.slice(ends[index], ends[index + 1]).trim()]),
  );
}

describe("modelLines()", () => {
  test("is a table with the servers, the load and the speed of each model", () => {
    const fast = {
      failed: 3,
      ...{ first_chunk_ms: { p50: 118.4, p95: 2_349 }, tokens_per_second: 41.6 },
    };
    const models = [
      model("BAAI/bge-m3", { recent: recent(3) }),
      model("llama", { in_flight: 2, waiting: 12, recent: recent(40, fast) }),
    ];
    expect(modelLines(models, 0)).toEqual([
      "MODEL        IN FLIGHT  WAITING  LAST 5 MIN  ERRORS  FIRST CHUNK     SPEED        SERVERS",
      "llama        2          12       40          3       118 ms / 2.3 s  42 tokens/s  vllm-1",
      "BAAI/bge-m3  0          –        3           –       –               –            vllm-1",
    ]);
  });

  test("leaves out empty columns", () => {
    expect(modelLines([model("m")], 0)).toEqual([
      "MODEL  IN FLIGHT  LAST 5 MIN  SERVERS",
      "m      0          0           vllm-1",
    ]);
  });

  test.each<[what: string, more: object, shown: Readonly<Record<string, string>>]>([
    [
      "shows pieces if no answer reports its tokens",
      { pieces_per_second: 3.149 },
      { SPEED: "3.1 pieces/s" },
    ],
    ["shows a slow model", { tokens_per_second: 0.04 }, { SPEED: "0 tokens/s" }],
    [
      "shows seconds",
      { first_chunk_ms: { p50: 999, p95: 61_400 } },
      { "FIRST CHUNK": "999 ms / 61 s" },
    ],
    [
      "shows seconds from 1 s on, with one decimal below 10",
      { first_chunk_ms: { p50: 1_000, p95: 9_960 } },
      { "FIRST CHUNK": "1 s / 10 s" },
    ],
    ["shows failed requests", { failed: 2 }, { ERRORS: "2" }],
  ])("%s", (_what, window, shown) => {
    expect(cells({ recent: recent(9, window) })).toMatchObject(shown);
  });

  test.each<[servers: readonly string[], text: string]>([
    [[], "–"],
    [["a: all"], "a"],
    [["a: none"], "a gets none"],
    [["new: all", "old: none"], "new gets all; old gets none"],
    [["c: none", "a: shares", "b: shares"], "a, b share requests; c gets none"],
    [["1: none", "2: none", "3: none", "4: none", "5: none"], "1, 2, 3 and 2 more get none"],
    [["1: none", "2: none", "3: none", "4: none"], "1, 2, 3 and 1 more get none"],
    [["a: shares"], "a shares requests"],
    [["a: half"], "a (half)"],
    [[`${"n".repeat(50)}: all`], `${"n".repeat(40)}…`],
  ])("shows servers %p as %p", (servers, text) => {
    const list = servers.map((each) => {
      const [container, gets] = each.split(": ");
      return { container, gets };
    });
    expect(cells({ servers: list })["SERVERS"]).toBe(text);
  });

  test.each<[what: string, models: readonly object[]]>([
    ["no model", []],
    ["an older proxy", [{ id: "m" }, { id: "n", waiting: 3 }]],
  ])("has no table with %s", (_what, models) => {
    expect(
      modelLines(
        models.map((one) => Model.parse(one)),
        0,
      ),
    ).toEqual([]);
  });

  test("has at most 50 rows, the busiest first, and counts the others", () => {
    const models = Array.from({ length: 10_000 }, (_, n) => model(`m${n}`));
    const busy = [
      model("waited for", { waiting: 1 }),
      model("asked for", { recent: recent(9) }),
      model("in flight", { in_flight: 2 }),
      model("asked for before", { recent: { ...recent(1), last_hour: { requests: 99 } } }),
    ];
    const lines = modelLines([...models, ...busy], 7);
    expect(lines).toHaveLength(52);
    const names = lines.map((line) => line.split(/ {2,}/)[0]);
    expect(names.slice(0, 5)).toEqual([
      ...["MODEL", "in flight", "waited for", "asked for", "asked for before"],
    ]);
    expect(lines.at(-1)).toBe("and 9961 more models");
  });

  test("no text controls the terminal, breaks its line or makes it long", () => {
    const nasty = "\u001b[2J\n\u202e";
    const servers = [nasty, nasty, nasty, nasty].map((name) => ({
      container: `${name}${"x".repeat(1_000)}`,
      gets: nasty,
    }));
    const lines = modelLines([model(`${nasty}${"y".repeat(1_000)}`, { servers })], 0);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toStartWith("?[2J??yyy");
    expect(lines[1]!.length).toBeLessThan(250);
  });
});
