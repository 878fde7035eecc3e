import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import {
  type Fact,
  factOf,
  factsOf,
  runsIn,
  withFact,
} from "../../../src/sources/docker/run-facts.ts";
import { readFixture } from "../../support/engine/replies.ts";

const RUNNING: Container = {
  ...parseContainer(readFixture("docker-20.10.24-starting.json")),
  startedAtMs: 1_000,
};
const MINUTE_MS = 60_000;

function factsFrom(...told: readonly Fact[]): readonly Fact[] {
  let facts: readonly Fact[] = [];
  for (const fact of told) facts = withFact(facts, fact);
  return facts;
}

const at = (what: Fact["what"], timeMs: number, rest: Partial<Fact> = {}): Fact => ({
  what,
  timeMs,
  ...rest,
});

/** The start and end of each run. */
function spans(...told: readonly Fact[]): readonly (readonly (number | undefined)[])[] {
  return runsIn(factsFrom(...told)).map(({ startedMs, endedMs }) => [startedMs, endedMs]);
}

describe("runsIn()", () => {
  test.each<[what: string, facts: readonly Fact[], runs: readonly (number | undefined)[][]]>([
    ["no facts", [], []],
    ["a run in progress", [at("start", 1)], [[1, undefined]]],
    ["an ended run", [at("start", 1), at("die", 5)], [[1, 5]]],
    ["die, then stop", [at("start", 1), at("die", 5), at("stop", 9)], [[1, 5]]],
    ["stop, then die", [at("start", 1), at("stop", 5), at("die", 9)], [[1, 5]]],
    ["destroy alone", [at("destroy", 9)], [[undefined, 9]]],
    ["an unknown start", [at("healthy", 3), at("die", 5)], [[undefined, 5]]],
    ["facts in the wrong order", [at("die", 5), at("start", 1)], [[1, 5]]],
    [
      "facts that come twice",
      [at("start", 1), at("die", 5), at("start", 1), at("die", 5)],
      [[1, 5]],
    ],
    [
      "two runs",
      [at("start", 1), at("die", 5), at("start", 7), at("die", 9)],
      [
        [1, 5],
        [7, 9],
      ],
    ],
    [
      "an unreported end",
      [at("start", 1), at("start", 7_000)],
      [
        [1, 7_000],
        [7_000, undefined],
      ],
    ],
    ["the inspect shows the start first", [at("start", 1), at("start", 6)], [[1, undefined]]],
    ["the event reports the start first", [at("start", 6), at("start", 1)], [[1, undefined]]],
    [
      "two short runs",
      [at("start", 6), at("die", 9), at("start", 12)],
      [
        [6, 9],
        [12, undefined],
      ],
    ],
  ])("%s", (_what, facts, runs) => {
    expect(spans(...facts)).toEqual(runs);
  });

  test("a run contains the facts from its start until shortly after its end", () => {
    const [first, second] = runsIn(
      factsFrom(
        at("start", 1),
        at("healthy", 2),
        at("kill", 3, { signal: 15 }),
        at("die", 5, { exitCode: 137 }),
        at("oom", 40),
        at("kill", 2_000, { signal: 9 }), // too late to be the cause of the end
        at("stop", 2_001),
        at("start", 3_000),
      ),
    );
    expect(first).toMatchObject({ exitCode: 137, oomMs: 40, isHealthy: true, hasStopped: true });
    expect([first?.kills.map(({ signal }) => signal), first?.isStopping]).toEqual([[15], false]);
    expect(second).toMatchObject({ isHealthy: false, hasStopped: false, kills: [] });
  });
});

describe("withFact()", () => {
  test("forgets runs that ended more than 10 minutes ago, except the last run", () => {
    const told = [at("start", 1), at("die", 2), at("start", 3), at("healthy", 4)];
    const lateMs = 60 * MINUTE_MS;
    expect(spans(...told, at("die", lateMs))).toEqual([[3, lateMs]]);
    expect(spans(...told, at("die", 10 * MINUTE_MS - 1))).toHaveLength(2);
  });

  test("keeps only the newest few facts of each kind in a run", () => {
    const kills = Array.from({ length: 1_000 }, (_, n) => at("kill", n + 10, { signal: 10 }));
    const [run] = runsIn(factsFrom(at("start", 1), at("healthy", 2), ...kills, at("die", 2_000)));
    expect(run).toMatchObject({ startedMs: 1, isHealthy: true, endedMs: 2_000 });
    expect(run?.kills.map(({ timeMs }) => timeMs)).toEqual([
      1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008, 1_009,
    ]);
  });

  test("keeps 256 facts, however many runs there are", () => {
    const told = Array.from({ length: 1_000 }, (_, n) => at(n % 2 === 0 ? "start" : "die", n));
    expect(factsFrom(...told)).toHaveLength(256);
    expect(factsFrom(...told).at(-1)?.timeMs).toBe(999);
  });

  test("a repeated start keeps the known facts of its run", () => {
    const told = [at("start", 1), at("healthy", 1.01), at("start", 6), at("die", 9)];
    expect(runsIn(factsFrom(...told))).toMatchObject([{ startedMs: 1, isHealthy: true }]);
  });
});

describe("factsOf()", () => {
  test.each<[what: string, change: Partial<Container>, facts: readonly string[]]>([
    ["starting", {}, ["start 1000"]],
    ["healthy", { health: "healthy" }, ["start 1000", "healthy 1000.01"]],
    ["paused", { status: "paused", health: "unhealthy" }, ["start 1000"]],
    ["stopping, as Podman shows it", { status: "stopping" }, ["start 1000", "stopping 1000.01"]],
    ["exited", { status: "exited", finishedAtMs: 5_000 }, ["start 1000", "die 5000"]],
    ["restarting", { status: "restarting", finishedAtMs: 5_000 }, ["start 1000", "die 5000"]],
    [
      "exited at an unknown time",
      { status: "exited", finishedAtMs: -1 },
      ["start 1000", "die 1000.01"],
    ],
    ["created", { status: "created" }, []],
    ["never started", { startedAtMs: -62_135_596_800_000 }, []],
  ])("%s", (_what, change, facts) => {
    const told = factsOf({ ...RUNNING, ...change }).map(({ what, timeMs }) => `${what} ${timeMs}`);
    expect(told).toEqual([...facts]);
  });
});

test("factOf() of an event that says nothing about a run is undefined", () => {
  const event = { kind: "moved", containerId: "c", attributes: {}, timeMs: 1 } as const;
  const nothing = { signal: undefined, fact: undefined, exitCode: undefined };
  expect(factOf({ ...event, ...nothing })).toBeUndefined();
});
