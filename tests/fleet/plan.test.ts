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

/** The parts of each step: run, backends, reading, deadline. */
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
  "plan() of %s: another run or a lost network path replaces the run, another address moves it",
  (held) => {
    expect(textOf(plan(held, "another run"))).toBe(STEPS["replace"]!);
    expect(textOf(plan(held, "cut off"))).toBe(STEPS["replace"]!);
    expect(textOf(plan(held, "moved"))).toBe(STEPS["move"]!);
  },
);

test.each(HELD)("plan() of %s: undrain removes the deadlines that drain has set", (held) => {
  expect(textOf(plan(held, "undrained"))).toBe(STEPS["lift deadline by hand"]!);
});

test.each(HELD)("plan() of %s: a refused connection only drains an active backend", (held) => {
  expect(textOf(plan(held, "refused"))).toBe(STEPS[held === "active" ? "drain" : "keep"]!);
});

test.each(HELD)(
  "plan() of %s: an unreachable server drains if it is active, and the proxy tries to reach it",
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
    ["the current run", sighting(), [HERE, "active"], ["routable"]],
    ["the first run", sighting(), [undefined, "unknown"], ["another run", "routable"]],
    [
      "another start",
      sighting({ run: { ...RUN, startedAtMs: 2 } }),
      [HERE, "active"],
      ["another run", "routable"],
    ],
    [
      "another address, while the old one still reaches it",
      sighting({ origin: THERE, origins: [THERE, HERE.origin] }),
      [HERE, "active"],
      ["moved", "routable"],
    ],
    [
      "another address, and the old one is lost",
      sighting({ origin: THERE, origins: [THERE] }),
      [HERE, "active"],
      ["cut off", "routable"],
    ],
    [
      "a network path that is doubted now",
      sighting({ doubt: DOUBT }),
      [HERE, "active"],
      ["cut off", "routable"],
    ],
    [
      "a network path that is no longer doubted, while it is asked for its models",
      sighting(),
      [{ ...HERE, doubt: DOUBT }, "probing"],
      ["cut off", "routable"],
    ],
    [
      "a network path that is no longer doubted, after it has answered",
      sighting(),
      [{ ...HERE, doubt: DOUBT }, "active"],
      ["routable"],
    ],
    [
      "an ignored server",
      { ...NAMED, kind: "ignored", reason: "no HEALTHCHECK" },
      [HERE, "active"],
      ["absent"],
    ],
  ],
)("seenIn() of %s", (_what, of, [place, held], seen) => {
  expect(seenIn(of, place, held, false)).toEqual(seen);
});

test.each(["routable", "not healthy", "starting"] as const)(
  "seenIn() of a drained run that is %s is drained",
  (seen) => {
    expect(seenIn(sighting({ seen }), HERE, "active", true)).toEqual(["drained"]);
  },
);

test("seenIn() of a drained run that was told to stop is stopping; a gone one is absent", () => {
  expect(seenIn(sighting({ seen: "stopping" }), HERE, "draining", true)).toEqual(["stopping"]);
  const ignored: Sighting = { ...NAMED, kind: "ignored", reason: "no HEALTHCHECK" };
  expect(seenIn(ignored, HERE, "draining", true)).toEqual(["absent"]);
});

const OOM = { kind: "out of memory", brief: "ran out of memory", reason: "as brief" } as const;
const DOWN = { kind: "absent", state: "stopped", reason: "" } as const;
const ABSENT = { ...NAMED, ...DOWN, comesBack: false, outlook: "gone" } as const;
const ANOTHER = { ...RUN, startedAtMs: 2 };

test.each<[what: string, of: Sighting, place: Place | undefined, reason: string | undefined]>([
  ["of the current run", sighting(), HERE, undefined],
  ["of another run", sighting({ run: ANOTHER, lastEnd: OOM }), HERE, "as brief"],
  [
    "of another run, if the end of the one before is not known",
    sighting({ run: ANOTHER }),
    HERE,
    "has ended",
  ],
  ["of the first run", sighting({ lastEnd: OOM }), undefined, undefined],
  ["of a server that does not run", { ...ABSENT, end: OOM }, HERE, "as brief"],
  ["of a server that does not run, if its end is not known", ABSENT, HERE, "has ended"],
  ["of a disabled server", { ...ABSENT, state: "disabled" }, HERE, undefined],
  ["of an ignored server", { ...NAMED, kind: "ignored", reason: "" }, HERE, undefined],
])("endIn() %s", (_what, of, place, reason) => {
  expect(endIn(of, place)?.reason).toBe(reason);
});
