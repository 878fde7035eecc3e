/**
 * Watches the tasks of a swarm: takes one answer of its manager after the other, and tells the fleet what each task has
 * come to. Does all at once, asks nobody, and reads no clock. A task is known by its id alone: addresses are used again.
 */
import type { Service, SwarmTask } from "../../engine/swarm.ts";
import type { Rank } from "../../routing/run.ts";
import type { Labels } from "../labels.ts";
import type { Sighting, SightingListener } from "../sighting.ts";
import { isOurs, readServiceLabels } from "./labels.ts";
import { NamedAddresses } from "./named-addresses.ts";
import { goneOf, type OwnView, observe, type Surroundings, serverOf } from "./observe.ts";
import { PutOffs } from "./put-off.ts";
import { hasEnded, withPorts } from "./task-states.ts";

export type TaskWatchInit = {
  readonly listener: SightingListener;
  /** May be called once an answer is there. */
  readonly around: () => Surroundings;
  /** What the engine of our own node shows of a task: see own-node.ts. */
  readonly ownView: (task: SwarmTask) => OwnView | undefined;
};

/** One answer of a manager. */
export type Answer = {
  readonly services: readonly Service[];
  readonly tasks: readonly SwarmTask[];
};

type Watched = {
  task: SwarmTask;
  service: Service;
  /** What the fleet was told last. */
  told: Sighting | undefined;
  /** The same as a text. */
  toldText: string;
};

/** How soon we look again whether the one that is waited for takes requests. */
const LOOK_AGAIN_MS = 25;

export class TaskWatch {
  readonly #init: TaskWatchInit;
  /** By task id: those of services with a label of ours. */
  readonly #watched = new Map<string, Watched>();
  readonly #named = new NamedAddresses();
  readonly #putOffs: PutOffs;
  #services: ReadonlyMap<string, Service> = new Map();
  #labels = new WeakMap<Service, Labels>();
  #tasks: readonly SwarmTask[] = [];

  constructor(init: TaskWatchInit) {
    this.#init = init;
    this.#putOffs = new PutOffs((id) => init.listener.takesRequests(serverOf(id)));
  }

  /** The services with a label of ours. */
  get services(): readonly Service[] {
    return [...this.#services.values()];
  }

  /** All tasks of the last answer, ended ones too. */
  get tasks(): readonly SwarmTask[] {
    return this.#tasks;
  }

  /** The task as the fleet was told of it last; undefined if it was not. */
  told(taskId: string): Sighting | undefined {
    return this.#watched.get(taskId)?.told;
  }

  /** Acts on an answer. It shows all that exists: who is not in it any more is gone. */
  saw({ services, tasks }: Answer, nowMs: number): void {
    const rank = this.#init.listener.nextRank();
    const ours = services.filter((service) => !service.isJob && isOurs(service));
    this.#services = new Map(ours.map((service) => [service.id, service]));
    this.#tasks = tasks;
    const listed = new Set(tasks.map(({ id }) => id));
    for (const task of tasks) this.#update(task);
    const all = [...this.#watched.values()];
    const isOver = ({ task }: Watched): boolean => hasEnded(task) || !listed.has(task.id);
    // Who comes in the place of another is told first, so that its models are expected all the while.
    for (const watched of all) if (!isOver(watched)) this.#judge(watched, nowMs, rank);
    for (const watched of all) if (isOver(watched)) this.#forget(watched, rank);
  }

  /**
   * Carries out what was put off, if its time has come.
   *
   * @returns when to call this again, ms from now; undefined if nothing is put off
   */
  due(nowMs: number): number | undefined {
    const { ids } = this.#putOffs;
    if (ids.length === 0) return undefined;
    const rank = this.#init.listener.nextRank();
    for (const id of ids) {
      const watched = this.#watched.get(id);
      if (watched !== undefined) this.#judge(watched, nowMs, rank);
    }
    return this.#putOffs.ids.length > 0 ? LOOK_AGAIN_MS : undefined;
  }

  /** Swarm's DNS has named these addresses as those of a service. */
  sawNames(serviceId: string, addresses: readonly string[], nowMs: number): void {
    const [tasks, rank] = [this.#runningOf(serviceId), this.#init.listener.nextRank()];
    this.#named.saw(
      tasks.map(({ task, told }) => ({ id: task.id, host: hostOf(told) })),
      addresses,
    );
    for (const watched of tasks) this.#judge(watched, nowMs, rank);
  }

  /** The services whose tasks Swarm's DNS may name, with their names. */
  get nameable(): readonly Pick<Service, "id" | "name">[] {
    const isPresent = ({ told }: Watched): boolean => told?.kind === "present";
    const ids = new Set(
      [...this.#watched.values()].filter(isPresent).map(({ service }) => service.id),
    );
    return this.services.filter(({ id }) => ids.has(id));
  }

  /** The engine of our own node shows something else of a task. */
  ownChanged(taskId: string, nowMs: number): void {
    const watched = this.#watched.get(taskId);
    if (watched === undefined || hasEnded(watched.task)) return;
    this.#judge(watched, nowMs, this.#init.listener.nextRank());
  }

  /** The engine is no manager any more. The tasks live on, and what is in flight there may finish. */
  left(): void {
    for (const watched of this.#watched.values()) this.#leave(watched);
    this.#services = new Map();
    this.#tasks = [];
  }

  #update(task: SwarmTask): void {
    const watched = this.#watched.get(task.id);
    const service = this.#services.get(task.serviceId);
    if (watched !== undefined) {
      watched.task = withPorts(task, watched.task);
      // Of a service that was removed the tasks still drain, and its settings are what they were.
      watched.service = service ?? watched.service;
    } else if (service !== undefined && !hasEnded(task)) {
      this.#watched.set(task.id, { task, service, told: undefined, toldText: "" });
    }
  }

  #judge(watched: Watched, nowMs: number, rank: Rank): void {
    const sighting = this.#observe(watched);
    if (this.#isPutOff(watched, sighting, nowMs) || isNoNews(watched, sighting)) return;
    if (this.#isLabelOff(watched, sighting)) this.#leave(watched);
    else this.#tell(watched, sighting, rank);
  }

  #observe({ task, service }: Watched): Sighting {
    return observe(task, service, this.#labelsOf(service), {
      ...this.#init.around(),
      own: this.#init.ownView(task),
      isOutOfDns: this.#named.isMissing(task.id),
    });
  }

  #labelsOf(service: Service): Labels {
    const known = this.#labels.get(service) ?? readServiceLabels(service);
    this.#labels.set(service, known);
    return known;
  }

  /** Says whether a task that is to drain goes on for now: see put-off.ts. */
  #isPutOff({ told, task, service }: Watched, sighting: Sighting, nowMs: number): boolean {
    const isToDrain = isStopping(sighting) && takesRequests(told);
    // That DNS does not name it any more says nothing new then: it leaves DNS 1 s after the decision.
    const isAtOnce = this.#init.ownView(task)?.isStopping === true;
    if (isToDrain && !isAtOnce) {
      return this.#putOffs.goesOn(task.id, nowMs, () => this.#comingBeside(task, service));
    }
    this.#putOffs.lift(task.id);
    return false;
  }

  /** The tasks of the same service that run and take no requests yet. */
  #comingBeside(task: SwarmTask, service: Service): readonly string[] {
    return [...this.#watched.values()]
      .filter((one) => one.service.id === service.id && one.task.id !== task.id)
      .filter((one) => takesRequests(this.#observe(one)))
      .map((one) => one.task.id)
      .filter((id) => !this.#init.listener.takesRequests(serverOf(id)));
  }

  /** Its service has been labelled until now, and the task lives on. */
  #isLabelOff({ told, service }: Watched, sighting: Sighting): boolean {
    const isOff = sighting.kind === "absent" && sighting.state === "disabled";
    return told?.kind === "present" && (isOff || !isOurs(service));
  }

  #tell(watched: Watched, sighting: Sighting, rank: Rank): void {
    const text = JSON.stringify(sighting);
    if (text === watched.toldText) return;
    watched.told = sighting;
    watched.toldText = text;
    this.#init.listener.saw(sighting, rank);
  }

  /** The task has ended, or the manager does not know it any more. */
  #forget(watched: Watched, rank: Rank): void {
    const { told, task } = watched;
    const { listener } = this.#init;
    if (told !== undefined) {
      const seen = this.#observe(watched);
      const sighting = seen.kind === "absent" && hasEnded(task) ? seen : goneOf(told);
      listener.saw(sighting, rank);
      listener.gone(serverOf(task.id));
    }
    this.#drop(task.id);
  }

  /** Nothing more is told of it. What is in flight there may finish. */
  #leave({ told, task }: Watched): void {
    const { listener } = this.#init;
    if (told?.kind === "present") {
      listener.saw({ ...told, seen: "stopping" }, listener.nextRank());
    }
    if (told !== undefined) listener.gone(serverOf(task.id));
    this.#drop(task.id);
  }

  #drop(taskId: string): void {
    this.#watched.delete(taskId);
    this.#named.forget(taskId);
    this.#putOffs.lift(taskId);
  }

  #runningOf(serviceId: string): readonly Watched[] {
    return [...this.#watched.values()].filter(
      ({ service, told, task }) =>
        service.id === serviceId && told?.kind === "present" && task.state === "running",
    );
  }
}

function isStopping(sighting: Sighting): boolean {
  return sighting.kind === "present" && sighting.seen === "stopping";
}

function takesRequests(sighting: Sighting | undefined): boolean {
  return sighting?.kind === "present" && sighting.seen === "routable";
}

function hostOf(told: Sighting | undefined): string {
  return told?.kind === "present" ? new URL(told.origin).hostname : "";
}

/** A task that ended long ago is listed for a while, and one on a node that is down for a day. */
function isNoNews({ told }: Watched, sighting: Sighting): boolean {
  if (told !== undefined || sighting.kind !== "absent") return false;
  return sighting.outlook === "gone" && sighting.state !== "disabled";
}
