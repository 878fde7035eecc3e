import { describe, expect, test } from "bun:test";
import { type Decision, DecisionCounts } from "../../src/routing/decisions.ts";
import { seededRandom } from "../support/client/random-json.ts";

describe("DecisionCounts", () => {
  test("counts each decision separately", () => {
    const counts = new DecisionCounts();
    const decisions: readonly Decision[] = ["load", "only", "load", "failover", "prefix", "load"];
    for (const decision of decisions) counts.count(decision, 500);
    expect(counts.lastMinute(500)).toEqual({ prefix: 1, load: 3, only: 1, failover: 1 });
  });

  test.each<[nowMs: number, counted: number]>([
    [1_000, 1],
    [60_999, 1],
    [61_000, 0],
    [121_500, 0],
    [3_600_000, 0],
  ])("a decision in second 1, read at %d ms, counts %d times", (nowMs, counted) => {
    const counts = new DecisionCounts();
    counts.count("load", 1_999);
    expect(counts.lastMinute(nowMs).load).toBe(counted);
  });

  test("agrees with a list of all decisions, over ten minutes with pauses", () => {
    const random = seededRandom(1);
    const counts = new DecisionCounts();
    const all: { readonly decision: Decision; readonly second: number }[] = [];
    for (let nowMs = 0; nowMs < 600_000; nowMs += [10, 900, 2_500, 70_000][random(200)] ?? 300) {
      const decision = (["prefix", "load", "only", "failover"] as const)[random(4)]!;
      counts.count(decision, nowMs);
      const second = Math.floor(nowMs / 1_000);
      all.push({ decision, second });
      const recent = all.filter((one) => one.second > second - 60);
      const wanted = { prefix: 0, load: 0, only: 0, failover: 0 };
      for (const one of recent) wanted[one.decision] += 1;
      expect(counts.lastMinute(nowMs)).toEqual(wanted);
    }
    expect(all.length).toBeGreaterThan(500);
  });
});
