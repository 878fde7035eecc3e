import { expect, test } from "bun:test";
import {
  endIn,
  type Held,
  type Place,
  plan,
  type Seen,
  type Step,
  seenIfUnreachable,
  seenIn,
} from "../../src/fleet/plan.ts";
import type { Unreachable } from "../../src/routing/backend.ts";
import type { Sighting } from "../../src/sources/sighting.ts";

const SEEN: readonly Seen[] = [
  "routable",
  "stopping",
  "drained",
  "not healthy",
  "starting",
  "absent",
  "models read",
  "read failed",
];

/** What each step says: of the run, the backends, the reading, the deadline. */
const STEPS: Readonly<Record<string, string>> = {
  keep: "keep keep keep keep",
  probe: "keep keep start keep",
  "stop probing": "keep keep stop keep",
  "stop probing by hand": "keep keep stop set for endless",
  "stop probing, set deadline": "keep keep stop set",
  admit: "keep admit keep keep",
  readmit: "keep admit start keep",
  "replace models": "keep replace models keep keep",
  drain: "keep drain stop keep",
  "drain by deadline": "keep drain stop set",
  "drain by hand": "keep drain stop set for endless",
  "set deadline": "keep keep keep set",
  "set deadline by hand": "keep keep keep set for endless",
  "lift deadline by hand": "keep keep keep lift for endless",
  remove: "forget remove stop keep",
  replace: "take remove stop keep",
  move: "move drain stop keep",
};

function textOf({ run, backends, reading, deadline }: Step): string {
  return [run, backends, reading, deadline].join(" ");
}

/** The state table of the contract, cell for cell, in the order of SEEN. */
const TABLE: readonly (readonly [held: Held, ...steps: string[]])[] = [
  [
    "unknown",
    ...["probe", "set deadline", "set deadline by hand", "keep", "keep", "remove", "keep", "keep"],
  ],
  [
    "probing",
    ...["keep", "stop probing, set deadline", "stop probing by hand"],
    ...["stop probing", "stop probing"],
    ...["remove", "admit", "keep"],
  ],
  [
    "active",
    ...["keep", "drain by deadline", "drain by hand", "drain", "keep"],
    ...["remove", "replace models", "keep"],
  ],
  [
    "draining",
    ...["readmit", "set deadline", "set deadline by hand", "keep", "keep"],
    ...["remove", "keep", "keep"],
  ],
  [
    "draining after notice",
    ...["probe", "set deadline", "set deadline by hand", "keep", "keep", "remove", "keep", "keep"],
  ],
];

const CELLS = TABLE.flatMap(([held, ...steps]) =>
  SEEN.map((seen, index): [Held, Seen, string] => [held, seen, steps[index]!]),
);

test.each(CELLS)("plan() of %s that is seen %s is %s", (held, seen, step) => {
  expect(textOf(plan(held, seen))).toBe(STEPS[step]!);
});

test("the table covers every cell", () => {
  expect(CELLS).toHaveLength(5 * 8);
});

const HELD: readonly Held[] = ["unknown", "probing", "active", "draining", "draining after notice"];

test.each(HELD)(
  "plan() of %s: another run and a lost way replace it, another address moves it",
  (held) => {
    expect(textOf(plan(held, "another run"))).toBe(STEPS["replace"]!);
    expect(textOf(plan(held, "cut off"))).toBe(STEPS["replace"]!);
    expect(textOf(plan(held, "moved"))).toBe(STEPS["move"]!);
  },
);

test.each(HELD)("plan() of %s: who takes it back lifts what taking it out has set", (held) => {
  expect(textOf(plan(held, "undrained"))).toBe(STEPS["lift deadline by hand"]!);
});

test.each(HELD)(
  "plan() of %s: a refused connection drains what is active, and nothing else",
  (held) => {
    expect(textOf(plan(held, "refused"))).toBe(STEPS[held === "active" ? "drain" : "keep"]!);
  },
);

test.each(HELD)(
  "plan() of %s: one that can't be reached drains if it is active, and is sought",
  (held) => {
    const step = held === "active" ? "keep drain seek keep" : STEPS["keep"]!;
    expect(textOf(plan(held, "unreachable"))).toBe(step);
  },
);

test.each<[how: Unreachable, mayVanish: boolean, isFollowing: boolean, seen: Seen | undefined]>([
  ["connection refused", false, true, undefined],
  ["connection refused", false, false, "refused"],
  ["not connected", false, false, undefined],
  ["unreachable", false, false, undefined],
  ["connection refused", true, true, "unreachable"],
  ["not connected", true, true, "unreachable"],
  ["unreachable", true, false, "unreachable"],
])(
  "seenIfUnreachable() of %s (may vanish: %p, followed: %p)",
  (how, mayVanish, isFollowing, seen) => {
    expect(seenIfUnreachable(how, mayVanish, isFollowing)).toBe(seen);
  },
);

const RUN = { source: "docker", id: "a", startedAtMs: 1 };
const NAMED = { server: RUN, name: "vllm", slots: ["name vllm"] };
const HERE: Place = { run: RUN, origin: "http://10.0.0.1:8000", basePath: "/v1" };

function sighting(change: Partial<Extract<Sighting, { kind: "present" }>> = {}): Sighting {
  const { run, origin } = HERE;
  const common = { ...NAMED, kind: "present", seen: "routable" } as const;
  const settings = { basePath: "/v1" };
  return { ...common, run, origin, origins: [origin], settings, ...change };
}

const DOUBT = "no shared network";
const THERE = "http://10.0.0.2:8000";

test.each<[what: string, of: Sighting, held: [place: Place | undefined, held: Held], seen: Seen[]]>(
  [
    ["a run that is held", sighting(), [HERE, "active"], ["routable"]],
    ["the first run", sighting(), [undefined, "unknown"], ["another run", "routable"]],
    [
      "another start",
      sighting({ run: { ...RUN, startedAtMs: 2 } }),
      [HERE, "active"],
      ["another run", "routable"],
    ],
    [
      "another address, the old one still its own",
      sighting({ origin: THERE, origins: [THERE, HERE.origin] }),
      [HERE, "active"],
      ["moved", "routable"],
    ],
    [
      "another address, the old one lost",
      sighting({ origin: THERE, origins: [THERE] }),
      [HERE, "active"],
      ["cut off", "routable"],
    ],
    [
      "a way that is doubted now",
      sighting({ doubt: DOUBT }),
      [HERE, "active"],
      ["cut off", "routable"],
    ],
    [
      "a way that is no longer doubted, while it is asked for its models",
      sighting(),
      [{ ...HERE, doubt: DOUBT }, "probing"],
      ["cut off", "routable"],
    ],
    [
      "the same, when it answered all the same",
      sighting(),
      [{ ...HERE, doubt: DOUBT }, "active"],
      ["routable"],
    ],
    [
      "what is to be ignored",
      { ...NAMED, kind: "ignored", reason: "no HEALTHCHECK" },
      [HERE, "active"],
      ["absent"],
    ],
  ],
)("seenIn() of %s", (_what, of, [place, held], seen) => {
  expect(seenIn(of, place, held, false)).toEqual(seen);
});

test.each(["routable", "not healthy", "starting"] as const)(
  "seenIn() of a run that was taken out, and is %s, is drained",
  (seen) => {
    expect(seenIn(sighting({ seen }), HERE, "active", true)).toEqual(["drained"]);
  },
);

test("seenIn() of a run that was taken out, and told to stop, is stopping; one that is gone is absent", () => {
  expect(seenIn(sighting({ seen: "stopping" }), HERE, "draining", true)).toEqual(["stopping"]);
  const ignored: Sighting = { ...NAMED, kind: "ignored", reason: "no HEALTHCHECK" };
  expect(seenIn(ignored, HERE, "draining", true)).toEqual(["absent"]);
});

const OOM = { kind: "out of memory", brief: "ran out of memory", reason: "as brief" } as const;
const DOWN = { kind: "absent", state: "stopped", reason: "" } as const;
const ABSENT = { ...NAMED, ...DOWN, comesBack: false, outlook: "gone" } as const;
const ANOTHER = { ...RUN, startedAtMs: 2 };

test.each<[what: string, of: Sighting, place: Place | undefined, reason: string | undefined]>([
  ["the run that is held", sighting(), HERE, undefined],
  ["another run", sighting({ run: ANOTHER, lastEnd: OOM }), HERE, "as brief"],
  ["another run, and nothing of the one before", sighting({ run: ANOTHER }), HERE, "has ended"],
  ["the first run", sighting({ lastEnd: OOM }), undefined, undefined],
  ["a server that does not run", { ...ABSENT, end: OOM }, HERE, "as brief"],
  ["one of which nothing is known", ABSENT, HERE, "has ended"],
  ["one whose label is off", { ...ABSENT, state: "disabled" }, HERE, undefined],
  ["one that is ignored", { ...NAMED, kind: "ignored", reason: "" }, HERE, undefined],
])("endIn() %s", (_what, of, place, reason) => {
  expect(endIn(of, place)?.reason).toBe(reason);
});
