/**
 * Reads a recording of a manager's answers, each different from the one before, with the events of its
 * engine.
 */
import { readEvents } from "../../../../src/engine/events.ts";
import { parseServices, parseTasks } from "../../../../src/engine/swarm-wire.ts";
import {
  hear,
  learn,
  type NodeEvent,
  readLines,
  type SwarmRecording,
  type TaskTruth,
} from "./recording.ts";

type Line = {
  readonly ms: number;
  readonly get?: string;
  readonly status?: number;
  readonly body?: unknown;
  readonly event?: unknown;
};

type Step<T> = { readonly atMs: number; readonly value: T | undefined };

export async function readFrames(file: string): Promise<SwarmRecording> {
  const lines = readLines(file) as readonly Line[];
  const of = <T>(path: string, parse: (body: unknown) => T): Step<T>[] =>
    lines
      .filter(({ get }) => get === path)
      .map(({ ms, status, body }) => ({
        atMs: ms,
        value: status === 200 ? parse(body) : undefined,
      }));
  const services = of("/services", parseServices);
  const tasks = of("/tasks", parseTasks);
  const nodeEvents = (
    await Promise.all(
      lines.flatMap(({ ms, event }) => (event === undefined ? [] : [nodeEventOf(event, ms)])),
    )
  ).flat();
  const truths = new Map<string, TaskTruth>();
  for (const { atMs, value = [] } of tasks) for (const task of value) learn(truths, atMs, task);
  hear(truths, nodeEvents);
  const endMs = lines.at(-1)?.ms ?? 0;
  return { name: file, endMs, services, tasks, truths, nodeEvents, names: undefined };
}

const TASK_ID = "com.docker.swarm.task.id";
const NODE_ID = "com.docker.swarm.node.id";

/** Parses the event as the proxy does. */
async function nodeEventOf(line: unknown, atMs: number): Promise<readonly NodeEvent[]> {
  const bytes = new Blob([`${JSON.stringify(line)}\n`]).stream();
  const [event] = await Array.fromAsync(readEvents(bytes));
  if (event === undefined || event.kind === "swarm changed") return [];
  const { [TASK_ID]: taskId = "", [NODE_ID]: node = "" } = event.attributes;
  const what = whatOf(event.kind, event.fact);
  return what === undefined ? [] : [{ atMs, node, taskId, what }];
}

function whatOf(kind: string, fact: string | undefined): NodeEvent["what"] | undefined {
  if (kind === "kill") return "stop signal";
  if (kind === "run over") return "over";
  return fact === "healthy" ? "healthy" : undefined;
}
