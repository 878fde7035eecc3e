/**
 * Fits the services of a swarm into the room that `GET /status` has. First it shows each service without tasks. Then it
 * adds tasks while there is room: first the tasks that do not run, then the running ones. Pure.
 */
import { greatestFirst } from "../../ground/greatest-first.ts";
import { cut } from "../../ground/some-of.ts";
import type { ServiceStatus, TaskStatus } from "../../status.ts";
import {
  type Draft,
  ENTRY_BYTES_MIN,
  inOrder,
  Kept,
  type List,
  SHORT_LENGTH,
} from "./fit-parts.ts";

/** @returns a lower bound of the bytes that all services need */
export function lengthAtLeast(services: readonly ServiceStatus[]): number {
  let length = 0;
  for (const { reason, tasks } of services) {
    length += ENTRY_BYTES_MIN + reason.length;
    for (const task of tasks) length += ENTRY_BYTES_MIN + task.reason.length;
  }
  return length;
}

export class FittedServices {
  readonly kept: Kept<ServiceStatus>;
  readonly #services: readonly ServiceStatus[];

  constructor(services: readonly ServiceStatus[]) {
    this.#services = services;
    this.kept = new Kept(greatestFirst(services, serviceNeed), shortService);
  }

  /** In the original order. */
  get shown(): readonly ServiceStatus[] {
    return inOrder(this.#services, this.kept.drafts);
  }

  /** The task list of each shown service. */
  get lists(): readonly List[] {
    return this.kept.drafts.map(listOfTasks);
  }

  /** Part of a shown service is left out. */
  get isCut(): boolean {
    return this.kept.drafts.some(isServiceCut);
  }
}

function serviceNeed({ reason, update, replicas, routed }: ServiceStatus): readonly number[] {
  return [reason === "" ? 0 : 1, update === null ? 0 : 1, (replicas ?? 0) - routed];
}

function taskNeed({ reason }: TaskStatus): readonly number[] {
  return [reason === "" ? 0 : 1];
}

function shortService(service: ServiceStatus): ServiceStatus {
  const { id, name, update, reason } = service;
  return {
    ...{ ...service, id: cut(id, SHORT_LENGTH), name: cut(name, SHORT_LENGTH), tasks: [] },
    update: update && cut(update, SHORT_LENGTH),
    reason: cut(reason, SHORT_LENGTH),
  };
}

function shortTask(task: TaskStatus): TaskStatus {
  const { id, name, node, state, desired_state, reason } = task;
  return {
    ...{ id: cut(id, SHORT_LENGTH), name: cut(name, SHORT_LENGTH) },
    node: node && cut(node, SHORT_LENGTH),
    ...{ state: cut(state, SHORT_LENGTH), desired_state: cut(desired_state, SHORT_LENGTH) },
    reason: cut(reason, SHORT_LENGTH),
  };
}

/** Shows the tasks that fit, in the original order. */
function listOfTasks({ whole, shown }: Draft<ServiceStatus>): List {
  const tasks = whole.tasks.map(shortTask);
  const needed = greatestFirst(tasks, taskNeed);
  const show = (count: number): void => {
    const kept = new Set(needed.slice(0, count));
    shown.tasks = tasks.filter((task) => kept.has(task));
  };
  return { whole: needed, count: 0, show };
}

function isServiceCut({ whole, shown }: Draft<ServiceStatus>): boolean {
  return (
    shown.reason !== whole.reason ||
    shown.update !== whole.update ||
    shown.tasks.length < whole.tasks.length ||
    shown.tasks.some(({ reason }, n) => reason !== whole.tasks[n]?.reason)
  );
}
