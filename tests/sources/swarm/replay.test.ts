import { expect, test } from "bun:test";
import { allRecordings } from "../../support/replay/swarm/all.ts";
import type { Judged } from "../../support/replay/swarm/judge.ts";
import { replay } from "../../support/replay/swarm/run.ts";

const RUNS = 1_100;
/** One seed, to repeat a failed run. */
const ONLY = process.env["REPLAY_SEED"];
/** How often each rule must apply at least, in all runs together. */
const JUDGED_MIN = 10_000;

test("recorded swarms: no request goes to a stopped task, no running task is lost, no task gets another task's address", async () => {
  const recordings = await allRecordings();
  const seeds = ONLY === undefined ? Array.from({ length: RUNS }, (_, n) => n) : [Number(ONLY)];
  const wrong: string[] = [];
  const judged: Judged[] = [];
  for (const seed of seeds) {
    const recording = recordings[seed % recordings.length]!;
    const run = await replay(recording, seed);
    judged.push(run.judged);
    wrong.push(...run.objections.map((text) => `REPLAY_SEED=${seed} (${recording.name}): ${text}`));
  }
  expect(wrong).toEqual([]);
  if (ONLY !== undefined) return;
  for (const rule of ["stops", "running", "handovers", "ended"] as const) {
    const times = judged.reduce((sum, run) => sum + run[rule], 0);
    expect(times, rule).toBeGreaterThan(JUDGED_MIN);
  }
}, 300_000);
