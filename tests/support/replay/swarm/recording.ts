/**
 * A recording of a swarm in the form that a replay needs: the manager's view at each moment, and the true
 * fate of each task. Times are ms from the start. frames.ts and timeline.ts read it from a file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Service, SwarmTask } from "../../../../src/engine/swarm.ts";

/** The values shown, each from its time until the next one. Undefined: the manager did not answer. */
export type Shown<T> = readonly { readonly atMs: number; readonly value: T | undefined }[];

/** The true fate of a task, whether it was reported or not. */
export type TaskTruth = {
  readonly id: string;
  readonly serviceId: string;
  readonly slot: number;
  /** Host name or id of the node. */
  node: string;
  /** When the task was shown as running. It had passed its health check shortly before. */
  runningMs?: number;
  /** When its health check failed for good. */
  unhealthyMs?: number;
  /** When the decision to stop it was first shown. */
  decidedMs?: number;
  /** When its process got SIGTERM. If unknown, 3 s after the decision: it never came earlier. */
  termMs?: number;
  /** When its process ended, or was shown as ended. */
  endedMs?: number;
};

/** An event of the task's container, from the engine of its node. */
export type NodeEvent = {
  readonly atMs: number;
  readonly node: string;
  readonly taskId: string;
  readonly what: "healthy" | "unhealthy" | "stop signal" | "over";
};

/** An answer of Swarm's DNS for `tasks.NAME`. */
export type NamesAnswer = {
  readonly atMs: number;
  readonly serviceId: string;
  /** The tasks whose addresses it named. Undefined if it did not answer. */
  readonly taskIds: readonly string[] | undefined;
};

export type SwarmRecording = {
  readonly name: string;
  readonly endMs: number;
  readonly services: Shown<readonly Service[]>;
  readonly tasks: Shown<readonly SwarmTask[]>;
  readonly truths: ReadonlyMap<string, TaskTruth>;
  readonly nodeEvents: readonly NodeEvent[];
  /** Undefined if DNS was not asked. */
  readonly names: readonly NamesAnswer[] | undefined;
};

/** The shortest measured time between a decision to stop, as a manager showed it, and SIGTERM. */
const NOTICE_MS = 3_000;

/** The network of all recorded tasks. */
export const NETWORK = "6tb0bigq24pxgq82d0likrgfc";

/** The port of all recorded services: the label's default. */
export const PORT = 8_000;

const FINAL: ReadonlySet<string> = new Set(["complete", "shutdown", "failed", "rejected"]);

/** Swarm shows such a state when the process has ended: the task never runs again. */
export function isFinal({ state }: SwarmTask): boolean {
  return FINAL.has(state);
}

export function isRunning({ state, desiredState }: SwarmTask): boolean {
  return state === "running" && desiredState === "running";
}

/** Whether the decision to stop the task has been taken. */
export function isToStop({ desiredState }: SwarmTask): boolean {
  return desiredState !== "running" && desiredState !== "ready";
}

export function shownAt<T>(shown: Shown<T>, atMs: number): T | undefined {
  return shown.findLast((one) => one.atMs <= atMs)?.value;
}

/** The tasks at that time, also while the manager did not answer. */
export function listedAt({ tasks }: SwarmRecording, atMs: number): readonly SwarmTask[] {
  return tasks.findLast((one) => one.atMs <= atMs && one.value !== undefined)?.value ?? [];
}

const DIRECTORY = join(import.meta.dir, "recordings");

/** @returns the names of all recordings with this beginning */
export function recordingFiles(beginning: string): readonly string[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.includes(beginning))
    .sort();
}

export function readLines(file: string): readonly unknown[] {
  const text = readFileSync(join(DIRECTORY, file), "utf8").trim();
  return text.split("\n").map((line): unknown => JSON.parse(line));
}

/** Learns the fate of the tasks from the manager's view, in addition to the other reports. */
export function learn(truths: Map<string, TaskTruth>, atMs: number, task: SwarmTask): TaskTruth {
  const { id, serviceId, slot, nodeId, state } = task;
  const truth: TaskTruth = truths.get(id) ?? { id, serviceId, slot, node: nodeId };
  truths.set(id, truth);
  truth.node = nodeId;
  if (state === "running") truth.runningMs ??= atMs;
  if (isToStop(task)) truth.decidedMs ??= atMs;
  if (isFinal(task)) truth.endedMs = Math.min(atMs, truth.endedMs ?? atMs);
  return truth;
}

/** Learns from the reports of the nodes' engines. After that, everything that can be known is known. */
export function hear(
  truths: ReadonlyMap<string, TaskTruth>,
  nodeEvents: readonly NodeEvent[],
): void {
  for (const { taskId, what, atMs } of nodeEvents) {
    const truth = truths.get(taskId);
    if (truth === undefined) continue;
    if (what === "unhealthy") truth.unhealthyMs ??= atMs;
    if (what === "stop signal") truth.termMs = Math.min(atMs, truth.termMs ?? atMs);
    if (what === "over") truth.endedMs = Math.min(atMs, truth.endedMs ?? atMs);
  }
  for (const truth of truths.values()) assumeTerm(truth);
}

/** If it is unknown when a process got SIGTERM, assumes the earliest time. */
function assumeTerm(truth: TaskTruth): void {
  const { runningMs, decidedMs, endedMs = Number.POSITIVE_INFINITY } = truth;
  const wasStopped = runningMs !== undefined && decidedMs !== undefined && endedMs > decidedMs;
  if (wasStopped) truth.termMs ??= decidedMs + NOTICE_MS;
}
