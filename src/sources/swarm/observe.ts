/**
 * Turns the manager's view of one task into a sighting. Pure. The first check that applies decides. It
 * does not know the state of the fleet.
 */
import type { Service, SwarmNode, SwarmTask } from "../../engine/swarm.ts";
import type { RunEnd, Server } from "../../routing/run.ts";
import { type Itself, loopAt } from "../docker/itself.ts";
import type { Labels, Settings } from "../labels.ts";
import type { Present, Sighting } from "../sighting.ts";
import { addressOf, type TaskAddress, type Whereabouts } from "./address.ts";
import {
  endOf,
  GONE,
  hasEnded,
  hasStarted,
  isRunning,
  isToStop,
  NODE_GONE,
  WAS_STOPPED,
} from "./task-states.ts";

/** The name of this source, and part of the identity of its servers. */
export const SOURCE = "swarm";

export type Surroundings = {
  readonly whereabouts: Whereabouts;
  readonly itself: Itself;
  /** The known nodes by id. */
  readonly nodes: ReadonlyMap<string, SwarmNode>;
  /** The service of the proxy itself; undefined if the proxy is not a task. */
  readonly ownServiceId: string | undefined;
};

/** What we know about a task in addition to the manager's view. */
export type Beside = {
  /** The view of our own node's engine: see own-node.ts. Undefined if the task is on another node, or if unknown. */
  readonly own?: OwnView | undefined;
  /** True if Swarm's DNS has listed its address before and no longer lists it. */
  readonly isOutOfDns?: boolean | undefined;
};

/** What our own node's engine shows about the container of a task. */
export type OwnView = {
  /** False if neither the image nor the service has a health check; undefined if unknown. */
  readonly hasHealthcheck: boolean | undefined;
  /** It was told to stop. */
  readonly isStopping: boolean;
  readonly isOver: boolean;
  readonly trouble: Present["trouble"];
};

const ITSELF = "this task is the proxy itself; remove the inference.* labels of its service";

const NO_HEALTHCHECK =
  "no HEALTHCHECK, so the proxy cannot know when it is ready; add one to its image or its service (healthcheck:), see docs/servers.md";

const HEALTHCHECK_OFF =
  "its service turns the HEALTHCHECK off (NONE), so the proxy cannot know when it is ready; remove NONE, or add one (healthcheck:)";

/** For a task on another node: we cannot see whether its image has a health check. */
const HEALTHCHECK_UNSEEN =
  "its service has no healthcheck, and the proxy cannot see from here whether its image has one";

const OUT_OF_DNS: NonNullable<Present["trouble"]> = {
  state: "unhealthy",
  reason: "Swarm's DNS no longer lists it, so it is unhealthy or about to stop",
};

/** The identity of a task in the fleet. */
export function serverOf(id: string): Server {
  return { source: SOURCE, id };
}

/** `service.slot`, or `service.hostname` if the service has one task on each node. */
export function nameOf(
  { slot, nodeId }: SwarmTask,
  { name }: Pick<Service, "name">,
  nodes: ReadonlyMap<string, SwarmNode>,
): string {
  if (slot > 0) return `${name}.${slot}`;
  return `${name}.${nodes.get(nodeId)?.hostname || nodeId || "?"}`;
}

type Common = Pick<Sighting, "server" | "name" | "slots">;

function commonOf(
  task: SwarmTask,
  service: Pick<Service, "id" | "name">,
  nodes: ReadonlyMap<string, SwarmNode>,
): Common {
  const place = task.slot > 0 ? task.slot : task.nodeId;
  return {
    server: serverOf(task.id),
    name: nameOf(task, service, nodes),
    slots: [`swarm ${service.id}/${place}`],
  };
}

/** @param labels the labels of the service: see `readServiceLabels` */
export function observe(
  task: SwarmTask,
  service: Service,
  labels: Labels,
  around: Surroundings & Beside,
): Sighting {
  const { own } = around;
  const common = commonOf(task, service, around.nodes);
  const ignored = (reason: string): Sighting => ({ ...common, kind: "ignored", reason });
  if (labels.kind === "disabled") {
    const { reason } = labels;
    const what = {
      state: "disabled",
      reason,
      comesBack: hasStarted(task),
      outlook: "gone",
    } as const;
    return { ...common, kind: "absent", ...what };
  }
  const absence = absenceOf(task, around, around.nodes);
  if (absence !== undefined) return { ...common, kind: "absent", ...absence };
  if (service.id === around.ownServiceId) return ignored(ITSELF);
  if (labels.kind === "wrong") return ignored(labels.reason);
  if (service.healthcheck === "none") return ignored(HEALTHCHECK_OFF);
  if (own?.hasHealthcheck === false) return ignored(NO_HEALTHCHECK);
  const { settings } = labels;
  const address = addressAt(task, service, settings, around);
  if (address.kind === "not yet" && !isRunning(task)) {
    return { ...common, kind: "absent", ...comingUp(address.reason) };
  }
  if (address.kind !== "address") return ignored(address.reason);
  const loop = loopAt({ ...address, isOnHost: address.isOfNode }, around.itself);
  if (loop !== undefined) return ignored(loop);
  return {
    ...common,
    ...present(task, settings, address),
    ...(service.healthcheck === "not given" && own === undefined && { remark: HEALTHCHECK_UNSEEN }),
    ...healthOf(task, service, around),
  };
}

function addressAt(
  task: SwarmTask,
  service: Service,
  settings: Settings,
  { whereabouts, nodes }: Surroundings,
): TaskAddress {
  const hostPorts = task.hostPorts.length > 0 ? task.hostPorts : service.hostPorts;
  return addressOf({ ...task, hostPorts }, settings, whereabouts, nodes.get(task.nodeId));
}

function present(
  { id, createdAtMs }: SwarmTask,
  settings: Settings,
  { host, port }: Extract<TaskAddress, { readonly kind: "address" }>,
): Omit<Present, "seen"> & { readonly kind: "present" } {
  const origin = `http://${host}:${port}`;
  const run = { ...serverOf(id), startedAtMs: createdAtMs };
  return { kind: "present", run, origin, origins: [origin], settings, mayVanish: true };
}

function healthOf(
  task: SwarmTask,
  { healthcheck }: Service,
  { own, isOutOfDns }: Beside,
): Pick<Present, "seen" | "trouble"> {
  if (isToStop(task) || own?.isStopping === true) return { seen: "stopping" };
  if (own?.trouble !== undefined) return { seen: "not healthy", trouble: own.trouble };
  if (isOutOfDns === true && isRunning(task)) return { seen: "not healthy", trouble: OUT_OF_DNS };
  const isUnclear =
    healthcheck !== "given" && own !== undefined && own.hasHealthcheck === undefined;
  return { seen: isRunning(task) && !isUnclear ? "routable" : "starting" };
}

type Absence = Omit<Extract<Sighting, { readonly kind: "absent" }>, keyof Common | "kind">;

/** @returns undefined if its container exists */
function absenceOf(
  task: SwarmTask,
  { own }: Beside,
  nodes: ReadonlyMap<string, SwarmNode>,
): Absence | undefined {
  const end = endIn(task, own);
  if (end !== undefined) return ended(end);
  if (isToStop(task) && nodes.get(task.nodeId)?.state === "down") return ended(NODE_GONE);
  if (hasStarted(task)) return undefined;
  if (!isToStop(task)) return comingUp(pendingReason(task));
  return { state: "stopped", reason: NEVER_STARTED, comesBack: false, outlook: "gone" };
}

/** The fleet expects the models of its predecessor from it. */
function comingUp(reason: string): Absence {
  return { state: "stopped", reason, comesBack: true, outlook: "starts again" };
}

const NEVER_STARTED = "removed before it was started";

function endIn(task: SwarmTask, own: OwnView | undefined): RunEnd | undefined {
  if (hasEnded(task)) return endOf(task);
  if (own?.isOver !== true) return undefined;
  return own.isStopping || isToStop(task) ? WAS_STOPPED : GONE;
}

function ended(end: RunEnd): Absence {
  const outlook = end.kind === "stopped" ? "was stopped" : "gone";
  return { state: "stopped", reason: end.reason, comesBack: false, outlook, end };
}

/** For a task that has no container yet. */
function pendingReason({ state, error, message }: SwarmTask): string {
  return `${state}: ${error || message || "it has no node yet"}`;
}

/** For a task that the manager no longer knows. */
export function goneOf({ server, name, slots }: Sighting): Sighting {
  return { server, name, slots, kind: "absent", ...ended(GONE) };
}
