/**
 * Describes the services of a swarm for `GET /status`: how many tasks take requests, the progress of an
 * update, why a task is missing, and what to do. Pure.
 */
import type { Service, SwarmNode, SwarmTask } from "../../engine/swarm.ts";
import type { ServiceStatus, TaskStatus } from "../../status.ts";
import type { Sighting } from "../sighting.ts";
import { readServiceLabels } from "./labels.ts";
import { nameOf } from "./observe.ts";
import { hasEnded, hasStarted, isRunning, isToStop } from "./task-states.ts";

export type Watching = {
  /** The services with a label of ours. */
  readonly services: readonly Service[];
  /** All tasks that the manager reports. */
  readonly tasks: readonly SwarmTask[];
  /** The last sighting of a task that the fleet got. */
  readonly told: (taskId: string) => Sighting | undefined;
  readonly takesRequests: (taskId: string) => boolean;
};

type Nodes = ReadonlyMap<string, SwarmNode>;

/** Sorted by name. */
export function servicesOf(watching: Watching, nodes: Nodes): readonly ServiceStatus[] {
  const byService = Map.groupBy(watching.tasks, ({ serviceId }) => serviceId);
  return watching.services
    .map((service) => serviceStatus(service, byService.get(service.id) ?? [], { watching, nodes }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

type Around = { readonly watching: Watching; readonly nodes: Nodes };

function serviceStatus(
  service: Service,
  tasks: readonly SwarmTask[],
  around: Around,
): ServiceStatus {
  const { id, name, replicas } = service;
  const shown = shownOf(tasks);
  const ends = lastEnds(tasks);
  const routed = shown.filter(({ id: taskId }) => around.watching.takesRequests(taskId)).length;
  const labels = readServiceLabels(service);
  const reasons =
    labels.kind === "enabled"
      ? [...missing(shown, ends, around.watching), ...notRouted(shown, around.watching)]
      : [labels.reason];
  return {
    ...{ id, name, replicas: replicas ?? null, routed },
    update: updateOf(service, tasks),
    reason: reasons.join("; "),
    tasks: shown.map((task) => ({
      ...taskStatus(task, service, around),
      reason: reasonIn(task, ends, around.watching),
    })),
  };
}

/** The tasks that run or will run. For a place without one, the last ended task, because it says why. */
function shownOf(tasks: readonly SwarmTask[]): readonly SwarmTask[] {
  return [...Map.groupBy(tasks, placeOf).values()]
    .flatMap((inPlace) => {
      const alive = inPlace.filter((task) => !hasEnded(task));
      return alive.length > 0 ? alive : lastFailed(inPlace);
    })
    .sort((a, b) => a.slot - b.slot || a.createdAtMs - b.createdAtMs);
}

/** The slot of a task, or its node if the service has one task on each node. */
function placeOf({ slot, nodeId }: SwarmTask): string {
  return slot > 0 ? String(slot) : nodeId;
}

/** The error of the last ended task in each place; empty if Swarm reports no error. */
type Ends = ReadonlyMap<string, string>;

function lastEnds(tasks: readonly SwarmTask[]): Ends {
  const ended = tasks.filter(hasEnded).sort((a, b) => a.createdAtMs - b.createdAtMs);
  return new Map(ended.map((task) => [placeOf(task), task.error]));
}

function lastFailed(tasks: readonly SwarmTask[]): readonly SwarmTask[] {
  const [last] = [...tasks].sort((a, b) => b.createdAtMs - a.createdAtMs);
  return last === undefined || last.error === "" ? [] : [last];
}

function taskStatus(
  task: SwarmTask,
  service: Service,
  { nodes }: Around,
): Omit<TaskStatus, "reason"> {
  return {
    id: task.id,
    name: nameOf(task, service, nodes),
    node: nodes.get(task.nodeId)?.hostname || task.nodeId || null,
    state: task.state,
    desired_state: task.desiredState,
  };
}

function reasonIn(task: SwarmTask, ends: Ends, { takesRequests, told }: Watching): string {
  if (takesRequests(task.id)) return "";
  const reason = reasonOf(task, told(task.id));
  const before = ends.get(placeOf(task)) ?? "";
  if (hasEnded(task) || isToStop(task) || before === "") return reason;
  return `${reason}; the task before it: ${withAdvice(before)}`;
}

function reasonOf(task: SwarmTask, told: Sighting | undefined): string {
  if (hasEnded(task)) return withAdvice(task.error || task.message);
  if (isToStop(task)) return "told to stop";
  if (!hasStarted(task)) return withAdvice(task.error || task.message);
  if (told?.kind === "ignored") return told.reason;
  if (told?.kind === "present" && told.trouble !== undefined) return told.trouble.reason;
  return isRunning(task)
    ? "the proxy is reading its model list"
    : "waiting for its health check to pass";
}

/** Why tasks are missing: each reason of Swarm once, with the number of tasks. */
function missing(
  shown: readonly SwarmTask[],
  ends: Ends,
  { takesRequests }: Watching,
): readonly string[] {
  const errors = shown
    .filter((task) => !(takesRequests(task.id) || (isToStop(task) && !hasEnded(task))))
    .map((task) => task.error || (ends.get(placeOf(task)) ?? ""))
    .filter((error) => error !== "");
  return [...Map.groupBy(errors, (error) => error)].map(
    ([error, all]) => `${countOf(all)} missing: ${withAdvice(error)}`,
  );
}

/** The same for running tasks that the proxy cannot route with their current setup. */
function notRouted(shown: readonly SwarmTask[], { told }: Watching): readonly string[] {
  const ignored = shown.flatMap(({ id }) => {
    const sighting = told(id);
    return sighting?.kind === "ignored" ? [sighting.reason] : [];
  });
  return [...Map.groupBy(ignored, (reason) => reason)].map(
    ([reason, all]) => `${countOf(all)} not routed: ${reason}`,
  );
}

function countOf({ length }: readonly unknown[]): string {
  return length === 1 ? "1 task" : `${length} tasks`;
}

/** What to do about an error of Swarm. The patterns are the words of moby and swarmkit. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /insufficient resources/,
    "free some (a GPU, memory), lower the service's reservations, or reduce its replicas",
  ],
  [
    /scheduling constraints not satisfied/,
    "check deploy.placement.constraints, and the labels and roles of the nodes",
  ],
  [
    /host-mode port already in use/,
    "each node can run only one such task: reduce the replicas, or add nodes",
  ],
  [/no suitable node/, "run docker node ls to see which nodes exist and which ones take tasks"],
  [
    /No such image|pull access denied|manifest unknown|not found: manifest/,
    "each node must have the image or be able to pull it: docker stack deploy --with-registry-auth",
  ],
  [/unhealthy container/, "its health check failed; look at docker service logs"],
  [/non-zero exit \(137\)/, "it was killed, probably because memory ran out"],
  [/non-zero exit/, "look at docker service logs"],
];

function withAdvice(error: string): string {
  const advice = ADVICE.find(([pattern]) => pattern.test(error))?.[1];
  return advice === undefined ? error : `${error}: ${advice}`;
}

/** The last update, while it runs or if an operator must act. */
function updateOf({ update, replicas }: Service, tasks: readonly SwarmTask[]): string | null {
  if (update === undefined) return null;
  const { state, message, startedAtMs } = update;
  switch (state) {
    case "updating": {
      const done = tasks.filter((task) => isRunning(task) && task.createdAtMs >= startedAtMs);
      const all = replicas ?? new Set(tasks.map(({ nodeId }) => nodeId)).size;
      return `updating ${Math.min(done.length, all)} of ${all}`;
    }
    case "paused":
      return withMessage("paused", message);
    case "rollback_started":
      return "rollback";
    case "rollback_paused":
      return withMessage("rollback paused", message);
    case "rollback_completed":
      return "rolled back";
    case "completed":
      return null;
    default:
      return withMessage(state, message);
  }
}

function withMessage(state: string, message: string): string {
  return message === "" ? state : `${state}: ${message}`;
}
