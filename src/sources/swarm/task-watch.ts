/**
 * Watches the tasks of a swarm: takes one answer of its manager after the other, and tells the fleet what each task has
 * come to. Does all at once, asks nobody, and reads no clock. A task is known by its id alone: addresses are used again.
 */
import type { Service, SwarmTask } from "../../engine/swarm.ts";
import type { Rank } from "../../routing/run.ts";
import type { Labels } from "../labels.ts";
import type { Sighting, SightingListener } from "../sighting.ts";
import { type Labelled, LabelledServices } from "./labelled.ts";
import { NamedAddresses } from "./named-addresses.ts";
import { goneOf, type OwnView, observe, type Surroundings, serverOf } from "./observe.ts";
import { PutOffs } from "./put-off.ts";
import { hasEnded, hasLongNotice, withPorts } from "./task-states.ts";
import { isDisabled, isNameable, isNoNews, isStopping, Told, takesRequests } from "./told.ts";

export type TaskWatchInit = {
  readonly listener: SightingListener;
  /** May be called once an answer is there. */
  readonly around: () => Surroundings;
  /** What the engine of our own node shows of a task: see own-node.ts. */
  readonly ownView: (task: SwarmTask) => OwnView | undefined;
};

/** One answer of a manager. The same lists as last time say that nothing has changed. */
export type Answer = {
  readonly services: readonly Service[];
  readonly tasks: readonly SwarmTask[];
};

type Watched = {
  task: SwarmTask;
  of: Labelled;
  /** What the fleet was told. */
  readonly told: Told;
};

/** One look at some tasks, or at all. */
type Round = {
  readonly nowMs: number;
  readonly rank: Rank;
  readonly around: Surroundings;
  /** By the id of a service: those of its tasks that run and take no requests yet. Kept, since each of many may ask. */
  readonly coming: Map<string, readonly string[]>;
};

/** How soon we look again whether the one that is waited for takes requests. */
const LOOK_AGAIN_MS = 25;

export class TaskWatch {
  readonly #init: TaskWatchInit;
  /** By task id: those of services with a label of ours. */
  readonly #watched = new Map<string, Watched>();
  /** The same by the id of their service. */
  #ofServices: ReadonlyMap<string, readonly Watched[]> = new Map();
  readonly #named = new NamedAddresses();
  readonly #putOffs: PutOffs;
  readonly #services = new LabelledServices();
  /** What was acted on last. */
  #last: (Answer & { readonly around: Surroundings }) | undefined;
  /** Some task was left since: the next answer is to show it as what it is now. */
  #hasLeft = false;

  constructor(init: TaskWatchInit) {
    this.#init = init;
    this.#putOffs = new PutOffs((id) => init.listener.takesRequests(serverOf(id)));
  }

  /** The services with a label of ours. */
  get services(): readonly Service[] {
    return this.#services.ours;
  }

  /** All tasks of the last answer, ended ones too. */
  get tasks(): readonly SwarmTask[] {
    return this.#last?.tasks ?? [];
  }

  /** The task as the fleet was told of it last; undefined if it was not. */
  told(taskId: string): Sighting | undefined {
    return this.#watched.get(taskId)?.told.sighting;
  }

  /** Acts on an answer. It shows all that exists: who is not in it any more is gone. */
  saw({ services, tasks }: Answer, nowMs: number): void {
    const round = this.#round(nowMs);
    if (this.#isLast({ services, tasks }, round)) return;
    this.#hasLeft = false;
    this.#services.take(services);
    const listed = new Set(tasks.map(({ id }) => id));
    for (const task of tasks) this.#update(task);
    const all = [...this.#watched.values()];
    this.#ofServices = Map.groupBy(all, ({ of }) => of.service.id);
    const isOver = ({ task }: Watched): boolean => hasEnded(task) || !listed.has(task.id);
    // Who comes in the place of another is told first, so that its models are expected all the while.
    for (const watched of all) if (!isOver(watched)) this.#judge(watched, round);
    for (const watched of all) if (isOver(watched)) this.#forget(watched, round);
    this.#last = { services, tasks, around: round.around };
  }

  /**
   * Carries out what was put off, if its time has come.
   *
   * @returns when to call this again, ms from now; undefined if nothing is put off
   */
  due(nowMs: number): number | undefined {
    const ids = this.#putOffs.due(nowMs);
    if (ids.length > 0) this.#judgeAll(this.#find(ids), nowMs);
    return this.#putOffs.ids.length > 0 ? LOOK_AGAIN_MS : undefined;
  }

  /** Swarm's DNS has named these addresses as those of a service. */
  sawNames(serviceId: string, addresses: readonly string[], nowMs: number): void {
    const running = this.#tasksOf(serviceId).filter(
      ({ told, task }) => told.sighting?.kind === "present" && task.state === "running",
    );
    const changed = this.#named.saw(
      running.map(({ task, told }) => ({ id: task.id, host: told.host })),
      addresses,
    );
    this.#judgeAll(this.#find(changed), nowMs);
  }

  /** The services of which Swarm's DNS may name a task, with their names. Of others it would ask a resolver elsewhere. */
  get nameable(): readonly Pick<Service, "id" | "name">[] {
    const isIn = ({ told, task }: Watched): boolean =>
      isNameable(told.sighting, task) || this.#named.isMissing(task.id);
    return this.services.filter(({ id }) => this.#tasksOf(id).some(isIn));
  }

  /** The engine of our own node shows something else of a task. */
  ownChanged(taskId: string, nowMs: number): void {
    this.#judgeAll(this.#find([taskId]), nowMs);
  }

  /** It is known of another node whether it is our own: that changes what is known of all its tasks. */
  nodeFound(nowMs: number): void {
    this.#judgeAll([...this.#watched.values()], nowMs);
  }

  /** The engine is no manager any more. The tasks live on, and what is in flight there may finish. */
  left(): void {
    for (const watched of this.#watched.values()) this.#leave(watched);
    this.#services.take([]);
    this.#ofServices = new Map();
    this.#last = undefined;
  }

  #round(nowMs: number): Round {
    const rank = this.#init.listener.nextRank();
    return { nowMs, rank, around: this.#init.around(), coming: new Map() };
  }

  /** Nothing has changed. What else is known of a task is told by itself. */
  #isLast({ services, tasks }: Answer, { around }: Round): boolean {
    const last = this.#last;
    if (this.#hasLeft || services !== last?.services || tasks !== last.tasks) return false;
    return Bun.deepEquals(around, last.around);
  }

  #find(taskIds: readonly string[]): readonly Watched[] {
    return taskIds.flatMap((id) => this.#watched.get(id) ?? []);
  }

  #judgeAll(all: readonly Watched[], nowMs: number): void {
    if (all.length === 0) return;
    const round = this.#round(nowMs);
    for (const watched of all) if (!hasEnded(watched.task)) this.#judge(watched, round);
  }

  #update(task: SwarmTask): void {
    const watched = this.#watched.get(task.id);
    const of = this.#services.get(task.serviceId);
    if (watched !== undefined) {
      watched.task = withPorts(task, watched.task);
      // Of a service that was removed the tasks still drain, and its settings are what they were.
      watched.of = of ?? watched.of;
    } else if (of?.labels !== undefined && !hasEnded(task)) {
      this.#watched.set(task.id, { task, of, told: new Told() });
    }
  }

  #judge(watched: Watched, round: Round): void {
    const { labels } = watched.of;
    const { sighting: told } = watched.told;
    const sighting = labels && this.#observe(watched, labels, round.around);
    if (sighting === undefined || (told?.kind === "present" && isDisabled(sighting))) {
      this.#leave(watched);
    } else if (!this.#isPutOff(watched, sighting, round) && !isNoNews(told, sighting)) {
      if (watched.told.isNew(sighting)) this.#init.listener.saw(sighting, round.rank);
    }
  }

  #observe({ task, of }: Watched, labels: Labels, around: Surroundings): Sighting {
    const own = this.#init.ownView(task);
    const isOutOfDns = this.#named.isMissing(task.id);
    return observe(task, of.service, labels, { ...around, own, isOutOfDns });
  }

  /** Says whether a task that is to drain goes on for now: see put-off.ts. */
  #isPutOff({ told, task, of }: Watched, sighting: Sighting, round: Round): boolean {
    const isToDrain = isStopping(sighting) && takesRequests(told.sighting);
    // That DNS does not name it any more says nothing new then: it leaves DNS 1 s after the decision.
    const isAtOnce = this.#init.ownView(task)?.isStopping === true;
    if (isToDrain && !isAtOnce) {
      const coming = (): readonly string[] => this.#comingOf(of.service.id, round);
      return this.#putOffs.goesOn(task.id, round.nowMs, coming, hasLongNotice(task));
    }
    this.#putOffs.lift(task.id);
    return false;
  }

  #comingOf(serviceId: string, { around, coming }: Round): readonly string[] {
    const known = coming.get(serviceId);
    if (known !== undefined) return known;
    const isComing = (one: Watched): boolean =>
      !this.#init.listener.takesRequests(serverOf(one.task.id)) &&
      one.of.labels !== undefined &&
      takesRequests(this.#observe(one, one.of.labels, around));
    const ids = this.#tasksOf(serviceId).flatMap((one) => (isComing(one) ? [one.task.id] : []));
    coming.set(serviceId, ids);
    return ids;
  }

  /** The task has ended, or the manager does not know it any more. */
  #forget({ told: { sighting: told }, task, of }: Watched, { around, rank }: Round): void {
    const { listener } = this.#init;
    if (told !== undefined) {
      const seen = of.labels && observe(task, of.service, of.labels, around);
      const isEnd = hasEnded(task) && seen?.kind === "absent";
      listener.saw(isEnd ? seen : goneOf(told), rank);
      listener.gone(serverOf(task.id));
    }
    this.#drop(task.id);
  }

  /** Nothing more is told of it. What is in flight there may finish. */
  #leave({ told: { sighting: told }, task }: Watched): void {
    const { listener } = this.#init;
    this.#hasLeft = true;
    if (told?.kind === "present") {
      listener.saw({ ...told, seen: "stopping" }, listener.nextRank());
    }
    if (told !== undefined) listener.gone(serverOf(task.id));
    this.#drop(task.id);
  }

  #tasksOf(serviceId: string): readonly Watched[] {
    const all = this.#ofServices.get(serviceId) ?? [];
    return all.filter((watched) => this.#watched.get(watched.task.id) === watched);
  }

  #drop(taskId: string): void {
    this.#watched.delete(taskId);
    this.#named.forget(taskId);
    this.#putOffs.lift(taskId);
  }
}
