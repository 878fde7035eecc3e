/**
 * Watches the tasks of a swarm: takes each answer of the manager, and reports the state of each task to
 * the fleet. It acts at once, sends no requests, and reads no clock. It identifies a task only by its id,
 * because addresses are reused.
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
  /** Callable after the first answer. */
  readonly around: () => Surroundings;
  /** What our own node's engine shows about a task: see own-node.ts. */
  readonly ownView: (task: SwarmTask) => OwnView | undefined;
};

/** One answer of a manager. The same array objects as last time mean that nothing has changed. */
export type Answer = {
  readonly services: readonly Service[];
  readonly tasks: readonly SwarmTask[];
};

type Watched = {
  task: SwarmTask;
  of: Labelled;
  /** What we have reported to the fleet. */
  readonly told: Told;
};

/** One pass over some tasks or over all tasks. */
type Round = {
  readonly nowMs: number;
  readonly rank: Rank;
  readonly around: Surroundings;
  /** By service id: its tasks that run and take no requests yet. A cache, because many tasks may ask. */
  readonly coming: Map<string, readonly string[]>;
};

/** How soon we check again whether a successor takes requests. */
const LOOK_AGAIN_MS = 25;

export class TaskWatch {
  readonly #init: TaskWatchInit;
  /** The tasks of services with a label of ours, by task id. */
  readonly #watched = new Map<string, Watched>();
  /** The same tasks by the id of their service. */
  #ofServices: ReadonlyMap<string, readonly Watched[]> = new Map();
  readonly #named = new NamedAddresses();
  readonly #putOffs: PutOffs;
  readonly #services = new LabelledServices();
  /** The last answer that we acted on. */
  #last: (Answer & { readonly around: Surroundings }) | undefined;
  /** True if we have left a task since the last answer: the next answer must report its new state. */
  #hasLeft = false;

  constructor(init: TaskWatchInit) {
    this.#init = init;
    this.#putOffs = new PutOffs((id) => init.listener.takesRequests(serverOf(id)));
  }

  /** The services with a label of ours. */
  get services(): readonly Service[] {
    return this.#services.ours;
  }

  /** All tasks of the last answer, including ended ones. */
  get tasks(): readonly SwarmTask[] {
    return this.#last?.tasks ?? [];
  }

  /** The last sighting of the task that we have reported; undefined if there is none. */
  told(taskId: string): Sighting | undefined {
    return this.#watched.get(taskId)?.told.sighting;
  }

  /** Acts on an answer. The answer contains all existing tasks, so a missing task is gone. */
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
    // Successors come first, so that the fleet expects their models without a gap.
    for (const watched of all) if (!isOver(watched)) this.#judge(watched, round);
    for (const watched of all) if (isOver(watched)) this.#forget(watched, round);
    this.#last = { services, tasks, around: round.around };
  }

  /**
   * Drains the tasks whose delay is over.
   *
   * @returns when to call this again, ms from now; undefined if no draining is delayed
   */
  due(nowMs: number): number | undefined {
    const ids = this.#putOffs.due(nowMs);
    if (ids.length > 0) this.#judgeAll(this.#find(ids), nowMs);
    return this.#putOffs.ids.length > 0 ? LOOK_AGAIN_MS : undefined;
  }

  /** Swarm's DNS has listed these addresses for a service. */
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

  /** The services with a task that Swarm's DNS may list. For others, DNS would ask an outside resolver. */
  get nameable(): readonly Pick<Service, "id" | "name">[] {
    const isIn = ({ told, task }: Watched): boolean =>
      isNameable(told.sighting, task) || this.#named.isMissing(task.id);
    return this.services.filter(({ id }) => this.#tasksOf(id).some(isIn));
  }

  /** Our own node's engine shows a change of a task. */
  ownChanged(taskId: string, nowMs: number): void {
    this.#judgeAll(this.#find([taskId]), nowMs);
  }

  /** We have learned whether a node is our own. That changes what we know about all its tasks. */
  nodeFound(nowMs: number): void {
    this.#judgeAll([...this.#watched.values()], nowMs);
  }

  /** The engine is no longer a manager. The tasks continue to run, and requests in flight may finish. */
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

  /** True if the answer has not changed. Other sources of news about a task call their own methods. */
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
      // The tasks of a removed service still drain, with the old settings of the service.
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

  /** Says whether a task that must drain continues for now: see put-off.ts. */
  #isPutOff({ told, task, of }: Watched, sighting: Sighting, round: Round): boolean {
    const isToDrain = isStopping(sighting) && takesRequests(told.sighting);
    // A task leaves DNS 1 s after the decision to stop it, so for such a task DNS says nothing new.
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

  /** The task has ended, or the manager no longer knows it. */
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

  /** Stops reporting the task. Its requests in flight may finish. */
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
