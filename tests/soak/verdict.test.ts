/** The verdict finds each kind of wrong answer, and accepts answers with a good reason. */
import { describe, expect, test } from "bun:test";
import type { EngineEvent } from "./engine-events.ts";
import type { Member } from "./fleet.ts";
import { historyOf } from "./history.ts";
import type { Delivery } from "./journals.ts";
import type { Exchange, Outcome } from "./load.ts";
import { Truth } from "./truth.ts";
import { wrongAnswers } from "./verdict.ts";

const A = "aaaaaaaaaaaa";
const B = "bbbbbbbbbbbb";
const DRAIN_MS = 6_000;

type Told = readonly [atMs: number, action: string, more?: Partial<EngineEvent>];

/** Events of container A, which serves `m`: healthy from 10,000 on. */
const LIVE: readonly Told[] = [
  [5_000, "start"],
  [10_000, "health_status: healthy"],
];
const STOPPED_AT_20_000: readonly Told[] = [
  ...LIVE,
  [20_000, "kill", { signal: 15 }],
  [22_000, "die", { exitCode: 0 }],
  [22_100, "stop"],
];

function member(id: string, more: Partial<Member> = {}): Member {
  return { id, name: `n-${id}`, models: ["m"], restartPolicy: "no", termMode: "exit", ...more };
}

function truthOf(told: readonly Told[], more: Partial<Member> = {}): Truth {
  const events = told.map(
    ([atMs, action, extra]): EngineEvent => ({
      containerId: A,
      action,
      atMs,
      signal: undefined,
      exitCode: undefined,
      ...extra,
    }),
  );
  const members = [member(A, more), member(B, { models: ["other"] })];
  return new Truth({ members, history: historyOf(events), drainMs: DRAIN_MS });
}

function exchange(sentMs: number, outcome: Outcome, more: Partial<Exchange> = {}): Exchange {
  return { number: 1, model: "m", sentMs, endMs: sentMs + 10, servedBy: "", outcome, ...more };
}

function error(status: number, code: string): Outcome {
  return { kind: "error", status, code };
}

function delivery(atMs: number, container = A): Delivery {
  return { number: 1, model: "m", atMs, container };
}

function faults(
  truth: Truth,
  exchanges: readonly Exchange[],
  deliveries: readonly Delivery[] = [],
): readonly string[] {
  return wrongAnswers(truth, exchanges, deliveries).map(({ what }) => what);
}

const NOT_FOUND = error(404, "model_not_found");
const DRAINING = error(503, "backend_draining");
const UNREACHABLE = error(502, "backend_unreachable");
const BROKEN: Outcome = { kind: "broken", why: "ECONNRESET" };
const CRASHED: readonly Told[] = [...LIVE, [30_000, "crash"], [31_000, "die", { exitCode: 1 }]];

describe("wrongAnswers() on errors", () => {
  test.each<[why: string, told: readonly Told[], asked: Exchange, wrong: string[]]>([
    ["404 while it is live", LIVE, exchange(15_000, NOT_FOUND), ["404 for a model that was live"]],
    ["404 before it was healthy", LIVE, exchange(9_000, NOT_FOUND), []],
    [
      "404 while it stops",
      STOPPED_AT_20_000,
      exchange(21_000, NOT_FOUND),
      ["404 for a model whose container ran"],
    ],
    ["404 after its end", STOPPED_AT_20_000, exchange(25_000, NOT_FOUND), []],
    [
      "503 while it is live",
      LIVE,
      exchange(15_000, DRAINING),
      ["503 backend_draining for a model that was live"],
    ],
    ["503 while it stops", STOPPED_AT_20_000, exchange(21_000, DRAINING), []],
    [
      "503 long after its end",
      STOPPED_AT_20_000,
      exchange(40_000, DRAINING),
      ["503 backend_draining for a model that was gone"],
    ],
    [
      "503 before it was ever healthy",
      [LIVE[0]!],
      exchange(15_000, DRAINING),
      ["503 backend_draining for a model that was gone"],
    ],
    ["502 while it is live", LIVE, exchange(15_000, UNREACHABLE), ["502 for no reason"]],
    ["502 between its crash and the engine's report", CRASHED, exchange(30_700, UNREACHABLE), []],
    ["502 long after a crash", CRASHED, exchange(40_000, UNREACHABLE), ["502 for no reason"]],
    [
      "502 in the middle of a drain",
      STOPPED_AT_20_000,
      exchange(21_000, UNREACHABLE),
      ["502 for no reason"],
    ],
    [
      "an error of our own",
      LIVE,
      exchange(15_000, error(500, "internal_error")),
      ["answered 500 internal_error"],
    ],
  ])("%s", (_why, told, asked, wrong) => {
    expect(faults(truthOf(told), [asked])).toEqual(wrong);
  });

  test("404 is wrong while its restart policy starts it again, but not after a signal", () => {
    const again: readonly Told[] = [...LIVE, [30_000, "die", { exitCode: 1 }], [38_000, "start"]];
    const killed: readonly Told[] = [...LIVE, [29_000, "kill", { signal: 1 }], ...again.slice(2)];
    const asked = [exchange(35_000, NOT_FOUND)];
    expect(faults(truthOf(again, { restartPolicy: "always" }), asked)).toHaveLength(1);
    expect(faults(truthOf(killed, { restartPolicy: "always" }), asked)).toEqual([]);
    expect(faults(truthOf(again), asked)).toEqual([]);
  });
});

describe("wrongAnswers() on streams", () => {
  const brokenAt = (endMs: number): readonly Exchange[] => [
    exchange(14_000, BROKEN, { endMs, servedBy: A }),
  ];

  test("a broken stream needs a reason", () => {
    expect(faults(truthOf(LIVE), brokenAt(15_000))).toHaveLength(1);
    expect(faults(truthOf(CRASHED), brokenAt(30_000))).toEqual([]);
    expect(faults(truthOf(CRASHED), brokenAt(29_000))).toHaveLength(1);
    expect(faults(truthOf(STOPPED_AT_20_000), brokenAt(20_100))).toEqual([]);
    const killed: readonly Told[] = [...LIVE, [30_000, "kill", { signal: 9 }], [32_000, "die"]];
    expect(faults(truthOf(killed, { termMode: "drain" }), brokenAt(30_000))).toEqual([]);
  });

  test("a stream of a server that finishes its work at a stop must not break", () => {
    const truth = truthOf(STOPPED_AT_20_000, { termMode: "drain" });
    expect(faults(truth, brokenAt(22_000))).toHaveLength(1);
  });

  test("a stream may be cut after the drain timeout, and not before", () => {
    const ignoring: readonly Told[] = [...LIVE, [20_000, "kill", { signal: 15 }], [30_000, "die"]];
    const truth = truthOf(ignoring, { termMode: "ignore" });
    expect(faults(truth, brokenAt(20_000 + DRAIN_MS))).toEqual([]);
    expect(faults(truth, brokenAt(24_000))).toHaveLength(1);
  });

  test("lost bytes, silence and another model's server are wrong; our own hang-up is not", () => {
    const truth = truthOf(LIVE);
    const complete: Outcome = { kind: "complete" };
    expect(faults(truth, [exchange(15_000, { kind: "garbled", why: "x" })])).toEqual([
      "stream garbled: x",
    ]);
    expect(faults(truth, [exchange(15_000, { kind: "silent" })])).toEqual([
      "the stream never ended",
    ]);
    expect(faults(truth, [exchange(15_000, complete, { servedBy: B })])).toHaveLength(1);
    expect(faults(truth, [exchange(15_000, complete, { servedBy: A })])).toEqual([]);
    expect(faults(truth, [exchange(15_000, { kind: "hung up" })])).toEqual([]);
  });
});

describe("wrongAnswers() on the requests of the servers", () => {
  const complete = (sentMs: number): readonly Exchange[] => [
    exchange(sentMs, { kind: "complete" }, { servedBy: A }),
  ];

  test.each<[why: string, told: readonly Told[], sentMs: number, wrong: string[]]>([
    ["while it is live", LIVE, 15_000, []],
    [
      "before it was healthy",
      LIVE,
      8_000,
      ["delivered to a container that was paused or not healthy"],
    ],
    [
      "after its stop notice",
      STOPPED_AT_20_000,
      21_000,
      ["delivered 1005 ms after the stop notice"],
    ],
    ["already being sent when the notice came", STOPPED_AT_20_000, 20_100, []],
    [
      "while paused",
      [...LIVE, [14_000, "pause"]],
      15_000,
      ["delivered to a container that was paused or not healthy"],
    ],
    ["after its end", STOPPED_AT_20_000, 30_000, ["delivered to a container that did not run"]],
  ])("%s", (_why, told, sentMs, wrong) => {
    expect(faults(truthOf(told), complete(sentMs), [delivery(sentMs + 5)])).toEqual(wrong);
  });

  test("a server of another model, or an unknown one", () => {
    const truth = truthOf(LIVE);
    expect(faults(truth, complete(15_000), [delivery(15_000, B)])).toEqual([
      `delivered to n-${B}, which does not serve its model`,
    ]);
    expect(faults(truth, complete(15_000), [delivery(15_000, "cccccccccccc")])).toEqual([
      "delivered to an unknown container",
    ]);
  });

  test("twice, unless the first server died", () => {
    const twice = (atMs: number): readonly Delivery[] => [delivery(atMs), delivery(atMs + 10)];
    expect(faults(truthOf(LIVE), complete(15_000), twice(15_000))).toEqual([
      "request 1 delivered 2 times",
    ]);
    expect(faults(truthOf(CRASHED), complete(30_000), twice(30_000))).toEqual([]);
  });
});
