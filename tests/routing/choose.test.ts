import { describe, expect, test } from "bun:test";
import { type Candidate, Chooser } from "../../src/routing/choose.ts";
import { Load } from "../../src/routing/load.ts";
import { Prefixes } from "../../src/routing/prefixes.ts";

describe("Chooser.choose()", () => {
  test("of three with the same load the one that was chosen longest ago", () => {
    const replicas: readonly Candidate[] = [1, 2, 3].map(() => ({ load: new Load() }));
    const chooser = new Chooser();
    const memory = new Prefixes();
    const chosen = Array.from({ length: 6 }, () => {
      const choice = chooser.choose(replicas, { nowMs: 0 }, () => memory);
      return choice && replicas.indexOf(choice.replica);
    });
    expect(chosen).toEqual([0, 1, 2, 0, 1, 2]);
  });
});
