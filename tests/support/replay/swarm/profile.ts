/**
 * The differences between runs: how the manager is asked, how it fails, which other facts are known. All from
 * the seed.
 */
import type { Random } from "../../client/random-json.ts";
import type { SwarmRecording } from "./recording.ts";

export type Profile = {
  /**
   * Answers come so often that the proxy knows a planned stop 1 s before the process does. Then no request
   * may go to a process that got SIGTERM.
   */
  readonly isStrict: boolean;
  readonly periodMs: number;
  readonly phaseMs: number;
  /** The longest time that an answer takes. */
  readonly delayMs: number;
  /** One in this many polls fails at once. 0: none. */
  readonly failsOneIn: number;
  /** One in this many polls is skipped. 0: none. */
  readonly skipsOneIn: number;
  /** Times without any answer. */
  readonly outages: readonly (readonly [fromMs: number, toMs: number])[];
  /** This part of an answer comes from the answer before. */
  readonly late: "services" | "tasks" | "nothing";
  /** The time between DNS questions. Undefined: none. */
  readonly namesEveryMs: number | undefined;
  /** The proxy's own node: its engine reports containers at once. */
  readonly ownNode: string | undefined;
  /** One in this many first reads of models fails. 0: none. */
  readonly readFailsOneIn: number;
  /** The longest time that a read of models takes. */
  readonly readMs: number;
  /** When the engine stops being a manager, and when it becomes one again. */
  readonly away: readonly [fromMs: number, toMs: number] | undefined;
  /** The label `inference.replica`. Undefined: no label. */
  readonly replica: "true" | undefined;
};

/** In a strict run, the longest time between two good answers. */
const STRICT_GAP_MS = 1_000;

export function profileOf(recording: SwarmRecording, random: Random): Profile {
  const isStrict = random(4) > 0;
  const { endMs, names } = recording;
  const nodes = [...new Set([...recording.truths.values()].map(({ node }) => node))];
  const isThin = random(3) === 0;
  const periodMs = isThin || !isStrict ? STRICT_GAP_MS / 2 : STRICT_GAP_MS / 2 + random(500);
  const isAway = random(12) === 0;
  const awayMs = random(endMs);
  return {
    ...{ isStrict, periodMs, phaseMs: random(periodMs), delayMs: 1 + random(isStrict ? 200 : 900) },
    failsOneIn: random(2) * (2 + random(6)),
    skipsOneIn: isThin || !isStrict ? 2 + random(2) : 0,
    outages: isStrict ? [] : [outage(endMs, random), outage(endMs, random)],
    late: lateOf(isStrict, random),
    namesEveryMs: names !== undefined || random(2) === 0 ? 500 : undefined,
    ownNode: random(2) === 0 ? nodes[random(nodes.length)] : undefined,
    readFailsOneIn: random(3) === 0 ? 3 : 0,
    readMs: 1 + random(800),
    away: isAway ? [awayMs, awayMs + 500 + random(8_000)] : undefined,
    replica: random(2) === 0 ? "true" : undefined,
  };
}

function outage(endMs: number, random: Random): readonly [number, number] {
  const fromMs = random(endMs);
  return [fromMs, fromMs + 500 + random(12_000)];
}

function lateOf(isStrict: boolean, random: Random): Profile["late"] {
  const which = random(isStrict ? 4 : 3);
  if (which === 0) return "services";
  return which === 1 && !isStrict ? "tasks" : "nothing";
}

/** Whether the manager answers at that time. */
export function answersAt({ outages }: Profile, atMs: number): boolean {
  return outages.every(([fromMs, toMs]) => atMs < fromMs || atMs >= toMs);
}
