/** Stands in for Swarm's DNS: the recorded answers, or the answers that it would have given. */
import type { SwarmTask } from "../../../../src/engine/swarm.ts";
import type { Random } from "../../client/random-json.ts";
import { listedAt, type SwarmRecording, type TaskTruth } from "./recording.ts";

/** When an unhealthy task's address leaves the answers. Measured, see issue 20: 0.1, 1.1, 1.2 and 5.4 s. */
const AFTER_UNHEALTHY_MS = 100;
const AFTER_DECISION_MS = 1_100;
const AFTER_END_MS = 1_200;

/** An address of no task. Real answers had such addresses. */
const NOBODYS = "10.215.1.250";

/** @returns the addresses in an answer, or undefined without an answer */
export function namesAt(
  recording: SwarmRecording,
  serviceId: string,
  nowMs: number,
  random: Random,
): readonly string[] | undefined {
  if (random(12) === 0) return random(2) === 0 ? undefined : [];
  const tasks = listedAt(recording, nowMs).filter((task) => task.serviceId === serviceId);
  const recorded = recording.names?.findLast(({ atMs }) => atMs <= nowMs);
  const isRecorded = recorded !== undefined && recorded.serviceId === serviceId;
  if (isRecorded && recorded.taskIds === undefined) return undefined;
  const isNamed = ({ id }: SwarmTask): boolean =>
    isRecorded
      ? recorded.taskIds?.includes(id) === true
      : isHealthy(recording.truths.get(id), nowMs);
  const addresses = tasks.filter(isNamed).map(({ networks }) => networks[0]?.addresses[0] ?? "");
  return random(5) === 0 ? [NOBODYS, ...addresses] : addresses;
}

const NEVER = Number.POSITIVE_INFINITY;

function isHealthy(truth: TaskTruth | undefined, nowMs: number): boolean {
  const { runningMs, unhealthyMs, decidedMs, endedMs } = truth ?? {};
  const leavesMs = Math.min(
    (unhealthyMs ?? NEVER) + AFTER_UNHEALTHY_MS,
    (decidedMs ?? NEVER) + AFTER_DECISION_MS,
    (endedMs ?? NEVER) + AFTER_END_MS,
  );
  return (runningMs ?? NEVER) <= nowMs && nowMs < leavesMs;
}
