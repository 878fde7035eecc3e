import { describe, expect, test } from "bun:test";
import { type Asking, type Candidate, choose } from "../../src/routing/choose.ts";

type Named = Candidate & { readonly name: string };

function named(name: string, inFlight = 0): Named {
  return { name, inFlight };
}

const NEWEST = named("newest", 90);
const MIDDLE = named("middle", 5);
const OLDEST = named("oldest");
const ALL = [NEWEST, MIDDLE, OLDEST];
const PROMPT = new Uint8Array(4_096);

describe("choose()", () => {
  test.each<[when: string, candidates: Named[], asking: Asking<Named>, order: Named[]]>([
    ["nobody is there", [], {}, []],
    ["one is there", [OLDEST], {}, [OLDEST]],
    ["many are there: the newest first, however busy it is", ALL, {}, ALL],
    ["a prompt is known: the same", ALL, { affinity: PROMPT }, ALL],
    ["nobody has failed", ALL, { failed: new Set() }, ALL],
    ["the newest has failed", ALL, { failed: new Set([NEWEST]) }, [MIDDLE, OLDEST]],
    ["one in the middle has failed", ALL, { failed: new Set([MIDDLE]) }, [NEWEST, OLDEST]],
    ["all have failed", ALL, { failed: new Set(ALL) }, []],
    ["a stranger has failed", ALL, { failed: new Set([named("gone")]) }, ALL],
  ])("orders when %s", (_when, candidates, asking, order) => {
    expect(choose(candidates, asking)).toEqual(order);
  });

  test("makes no new array where nobody has failed: that is nearly every request", () => {
    expect(choose(ALL)).toBe(ALL);
    expect(choose(ALL, { failed: new Set() })).toBe(ALL);
  });

  test("leaves what it is given as it is", () => {
    const candidates = [NEWEST, MIDDLE];
    choose(candidates, { failed: new Set([NEWEST]) });
    expect(candidates).toEqual([NEWEST, MIDDLE]);
  });
});
