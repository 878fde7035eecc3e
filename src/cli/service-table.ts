/**
 * Formats the swarm of a `GET /status` reply as a table: the routed tasks of each service, the state of its
 * update, and why tasks are missing. Pure.
 */
import { z } from "zod/mini";
import { printableInTable } from "../ground/printable.ts";
import { cut } from "../ground/some-of.ts";
import { columns, moreLine } from "./columns.ts";

const Task = z.object({
  id: z.string(),
  name: z.string(),
  node: z.nullable(z.string()),
  state: z.string(),
  desired_state: z.string(),
  reason: z.string(),
});

const Service = z.object({
  name: z.string(),
  replicas: z.nullable(z.number()),
  routed: z.number(),
  update: z.nullable(z.string()),
  reason: z.string(),
  tasks: z.array(Task),
});

export const Swarm = z.object({
  /** `followed`, `lost` or `forbidden`. A newer proxy may send other words: the table shows them too. */
  state: z.string(),
  reason: z.nullable(z.string()),
  since: z.string(),
  services: z.array(Service),
});

type SwarmStatus = z.infer<typeof Swarm>;
type ServiceStatus = z.infer<typeof Service>;
type TaskStatus = z.infer<typeof Task>;

type LeftOut = { readonly services?: number | undefined; readonly details?: boolean | undefined };

/** Task id → node. */
export function nodesOf(swarm: SwarmStatus | null | undefined): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>();
  for (const { tasks } of swarm?.services ?? []) {
    for (const { id, node } of tasks) if (node !== null) nodes.set(id, cut(node, NODE_LENGTH_MAX));
  }
  return nodes;
}

const HEADINGS = ["SERVICE", "TASKS", "UPDATE", "REASON"];
const UPDATE_AT = HEADINGS.indexOf("UPDATE");
const NOTHING = "–";
/** The most tasks below one service, and the longest texts. */
const [TASKS_MAX, NAME_LENGTH_MAX, NODE_LENGTH_MAX, REASON_LENGTH_MAX] = [5, 100, 64, 1_000];

/**
 * One line for each service. Below it, one line for each missing task whose reason the service line does not
 * show.
 *
 * @param leftOut how many services the reply leaves out, and whether it leaves out tasks
 */
export function serviceLines(swarm: SwarmStatus, leftOut: LeftOut = {}): readonly string[] {
  const { state, services } = swarm;
  const more = moreLine(leftOut.services ?? 0, "service");
  if (services.length === 0) {
    const nothing = "No service has a label that begins with inference.";
    return state === "followed" && more.length === 0 ? [nothing] : more;
  }
  const rows = services.flatMap((service) => [
    rowOf(service, leftOut.details === true),
    ...taskRows(service),
  ]);
  const printed = rows.map((cells) => cells.map(printableInTable)); // before the columns are measured
  const table = [HEADINGS, ...printed];
  const hasUpdate = services.some(({ update }) => update !== null);
  const shown = hasUpdate ? table : table.map((cells) => cells.toSpliced(UPDATE_AT, 1));
  return [...columns(shown), ...more];
}

/**
 * @param isCut whether tasks may be left out: then the task count of a service with one task on each node is
 * unknown
 */
function rowOf(service: ServiceStatus, isCut: boolean): readonly string[] {
  const { name, replicas, routed, update, reason, tasks } = service;
  const onNodes = isCut ? NOTHING : tasks.filter((task) => task.desired_state === "running").length;
  return [
    cut(name, NAME_LENGTH_MAX),
    `${routed}/${replicas ?? onNodes}`,
    cut(update ?? NOTHING, NAME_LENGTH_MAX),
    cut(reason || NOTHING, REASON_LENGTH_MAX),
  ];
}

/** The reason of the service may contain the reason of a task. The table shows it once. */
function taskRows({ reason, tasks }: ServiceStatus): readonly (readonly string[])[] {
  const said = cut(reason, REASON_LENGTH_MAX);
  const missing = tasks.filter(
    (task) => task.reason !== "" && !said.includes(cut(task.reason, REASON_LENGTH_MAX)),
  );
  const rows = missing.slice(0, TASKS_MAX).map(taskRow);
  const more = moreLine(missing.length - rows.length, "task");
  return [...rows, ...more.map((line) => [`  ${line}`, "", "", ""])];
}

function taskRow({ name, node, state, reason }: TaskStatus): readonly string[] {
  const where = node === null ? "" : ` on ${cut(node, NODE_LENGTH_MAX)}`;
  return [
    `  ${cut(name, NAME_LENGTH_MAX)}`,
    "",
    "",
    `${cut(state, NAME_LENGTH_MAX)}${where}: ${cut(reason, REASON_LENGTH_MAX)}`,
  ];
}
