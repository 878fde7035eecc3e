import { describe, expect, test } from "bun:test";
import { ModelBackends } from "../../src/telemetry/model-backends.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

function present(...models: readonly string[]): { model: string; backends: number }[] {
  return models.map((model) => ({ model, backends: 1 }));
}

describe("counts()", () => {
  test("returns the current models", () => {
    const counts = new ModelBackends(9).counts(
      [
        { model: "a", backends: 2 },
        { model: "b", backends: 1 },
        { model: "c", backends: 0 },
      ],
      0,
    );
    expect([...counts]).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
  });

  test("keeps a model that is gone with 0, for a day after it was last present", () => {
    const models = new ModelBackends(9);
    models.counts(present("a"), 0);
    models.counts(present("a"), 1_000);
    expect([...models.counts([], 1_001)]).toEqual([["a", 0]]);
    expect([...models.counts([], 1_000 + DAY_MS)]).toEqual([["a", 0]]);
    expect([...models.counts([], 1_001 + DAY_MS)]).toEqual([]);
    expect([...models.counts(present("a"), 2_000 + DAY_MS)]).toEqual([["a", 1]]);
  });

  test("restarts the day when the model was back meanwhile", () => {
    const models = new ModelBackends(9);
    models.counts(present("a"), 0);
    models.counts([], 1);
    models.counts(present("a"), DAY_MS);
    expect([...models.counts([], 2 * DAY_MS)]).toEqual([["a", 0]]);
  });

  test("drops the models that are gone the longest if there is no room for new ones", () => {
    const models = new ModelBackends(3);
    models.counts(present("a"), 0);
    models.counts(present("a", "b", "c"), 1);
    models.counts(present("c"), 2);
    expect([...models.counts(present("c", "d"), 3)]).toEqual([
      ["b", 0],
      ["c", 1],
      ["d", 1],
    ]);
  });

  test("drops the model that is gone the longest, not the one that came first", () => {
    const models = new ModelBackends(2);
    models.counts(present("a", "b"), 0);
    models.counts(present("a"), 1);
    models.counts([], 2);
    expect([...models.counts(present("c"), 3)]).toEqual([
      ["a", 0],
      ["c", 1],
    ]);
  });

  test("keeps showing present models, never with 0, whatever new models come", () => {
    const models = new ModelBackends(3);
    models.counts(present("a", "b"), 0);
    const many = Array.from({ length: 10_000 }, (_, index) => `m${index}`);
    const shown = models.counts(present(...many, "a", "b"), 1);
    expect([...shown]).toEqual([
      ["a", 1],
      ["b", 1],
      ["m0", 1],
    ]);
    expect([...models.counts(present(...many.toReversed(), "b", "a"), 2)]).toEqual([...shown]);
  });

  test("leaves out ids that are too long for a label", () => {
    const id = "x".repeat(256);
    expect([...new ModelBackends(9).counts(present(id, `${id}x`), 0).keys()]).toEqual([id]);
  });
});
