import { describe, expect, test } from "bun:test";
import { anthropicList, anthropicModel } from "../../../src/proxy/own/anthropic-models.ts";
import { model } from "../../support/server/backends.ts";

const MODELS = Array.from({ length: 30 }, (_, n) =>
  model({ id: `m${String(n).padStart(2, "0")}`, created: n }),
);

type Page = {
  readonly data: readonly unknown[];
  readonly has_more: boolean;
  readonly first_id: string | null;
  readonly last_id: string | null;
};

function page(query: string): string {
  const { data, has_more, first_id, last_id } = JSON.parse(
    anthropicList(MODELS, new URLSearchParams(query)).join(""),
  ) as Page;
  return `${data.length} ${first_id}–${last_id}${has_more ? " …" : ""}`;
}

describe("anthropicList()", () => {
  test.each([
    ["", "20 m00–m19 …"],
    ["limit=1000", "30 m00–m29"],
    ["limit=30", "30 m00–m29"],
    ["limit=5", "5 m00–m04 …"],
    ["limit=5&after_id=m04", "5 m05–m09 …"],
    ["limit=5&after_id=m24", "5 m25–m29"],
    ["after_id=m29", "0 null–null"],
    ["limit=5&before_id=m05", "5 m00–m04"],
    ["limit=5&before_id=m20", "5 m15–m19 …"],
    ["limit=5&after_id=nobody", "5 m00–m04 …"],
    ["limit=0", "20 m00–m19 …"],
    ["limit=x", "20 m00–m19 …"],
    ["limit=5000", "30 m00–m29"],
  ])("for the query %p returns %p", (query, expected) => {
    expect(page(query)).toBe(expected);
  });
});

function shown(entry: Parameters<typeof model>[0]): Readonly<Record<string, unknown>> {
  return JSON.parse(anthropicModel(model(entry))) as Readonly<Record<string, unknown>>;
}

describe("anthropicModel()", () => {
  test("adds missing fields and keeps the existing ones", () => {
    expect(shown({ id: "a", created: 1_700_000_000, owned_by: "vllm" })).toEqual({
      type: "model",
      id: "a",
      display_name: "a",
      created_at: "2023-11-14T22:13:20.000Z",
      created: 1_700_000_000,
      owned_by: "vllm",
    });
    const own = { id: "a", type: "model", display_name: "A", created_at: "2026-01-01T00:00:00Z" };
    expect(shown(own)).toEqual(own);
  });

  test("keeps the existing text byte for byte, including white space and keys with escapes", () => {
    const json = '{ "id": "a", "\\u0074ype": "own", "created": 1e3, "n": 12345678901234567890 }';
    const head = '{"display_name":"a","created_at":"1970-01-01T00:16:40.000Z",';
    expect(anthropicModel({ id: "a", json })).toBe(head + json.slice(1));
  });

  test("makes the text once for each model", () => {
    const made = model({ id: "a" });
    expect(anthropicModel(made)).toBe(anthropicModel(made));
  });

  test.each([[undefined], [null], ["x"], [1e300], [{}], [[]], [[5]], [true], ["5"], [""]])(
    "turns a created of %p into the epoch",
    (created) => {
      expect(shown({ id: "a", created })["created_at"]).toBe("1970-01-01T00:00:00.000Z");
    },
  );
});
