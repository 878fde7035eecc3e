/**
 * The reports about each task to the watch, with their times: from answers, from DNS, and from the engine of
 * its node. The judges use these and the truth. They never use the conclusions of the watch.
 */
import type { SwarmTask } from "../../../../src/engine/swarm.ts";
import type { Answer } from "../../../../src/sources/swarm/task-watch.ts";
import type { NodeEvent } from "./recording.ts";
import { isFinal, isRunning, isToStop } from "./recording.ts";

export type ToldOfTask = {
  readonly serviceId: string;
  readonly address: string;
  isRunning: boolean;
  /**
   * The task was shown together with its service. The service's facts then still count after the service is
   * removed.
   */
  isKnown?: boolean;
  /** Since when the task is to take requests, by the manager's view. */
  wantedMs?: number | undefined;
  /** When the first report said that the task is to stop. */
  stopMs?: number;
  /** When the first report said that the task has ended, or is no longer known. */
  overMs?: number;
  /** When the task's node reported that it is unhealthy or got a stop signal. */
  atOnceMs?: number | undefined;
  /** The label of its service was off at some time. */
  wasOff?: boolean;
  wasNamed?: boolean;
  /** Since when the answers no longer name the task. */
  missingMs?: number | undefined;
};

export class Told {
  readonly tasks = new Map<string, ToldOfTask>();
  /** Ids of services whose label was on in the last report. */
  #enabled = new Set<string>();
  isLeft = false;
  /** Known whether the engine is a manager or not. */
  readonly #ofNode = new Map<string, Pick<ToldOfTask, "overMs" | "atOnceMs">>();

  answer({ services, tasks }: Answer, nowMs: number): void {
    this.isLeft = false;
    const shown = new Set(services.map(({ id }) => id));
    for (const { id, labels } of services) {
      if (labels["inference.enable"] === "true") this.#enabled.add(id);
      else this.#enabled.delete(id);
    }
    for (const task of tasks) this.#task(task, shown.has(task.serviceId), nowMs);
    const listed = new Set(tasks.map(({ id }) => id));
    for (const [id, told] of this.tasks) if (!listed.has(id)) told.overMs ??= nowMs;
  }

  /** @param isShown the same answer has its service. If not, only the known facts continue to count */
  #task(task: SwarmTask, isShown: boolean, nowMs: number): void {
    const told = this.#of(task.id, task.serviceId, task.networks[0]?.addresses[0] ?? "");
    told.isRunning = task.state === "running";
    if (isToStop(task)) told.stopMs ??= nowMs;
    if (isFinal(task)) told.overMs ??= nowMs;
    if (!this.isEnabled(task.serviceId)) told.wasOff = true;
    if (isShown) told.isKnown = true;
    const isWanted = told.isKnown === true && isRunning(task) && this.isEnabled(task.serviceId);
    told.wantedMs = isWanted ? (told.wantedMs ?? nowMs) : undefined;
  }

  /** The engine is no longer a manager: all its reports as a manager are void. */
  left(): void {
    this.tasks.clear();
    this.#enabled.clear();
    this.isLeft = true;
  }

  isEnabled(serviceId: string): boolean {
    return this.#enabled.has(serviceId);
  }

  names(serviceId: string, addresses: readonly string[], nowMs: number): void {
    if (addresses.length === 0) return;
    for (const told of this.tasks.values()) {
      if (told.serviceId !== serviceId || !told.isRunning || told.overMs !== undefined) continue;
      if (addresses.includes(told.address)) {
        told.wasNamed = true;
        told.missingMs = undefined;
      } else if (told.wasNamed) told.missingMs ??= nowMs;
    }
  }

  ofNode({ taskId, what }: NodeEvent, nowMs: number): void {
    const facts = this.#ofNode.get(taskId) ?? {};
    if (what === "over") facts.overMs ??= nowMs;
    if (what === "unhealthy" || what === "stop signal") facts.atOnceMs ??= nowMs;
    if (what === "healthy") facts.atOnceMs = undefined;
    this.#ofNode.set(taskId, facts);
    const told = this.tasks.get(taskId);
    if (told !== undefined) Object.assign(told, facts);
  }

  #of(id: string, serviceId: string, address: string): ToldOfTask {
    const known = this.tasks.get(id);
    if (known !== undefined) return known;
    const told: ToldOfTask = { serviceId, address, isRunning: false, ...this.#ofNode.get(id) };
    this.tasks.set(id, told);
    return told;
  }
}
