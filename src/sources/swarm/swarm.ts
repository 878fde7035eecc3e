/**
 * The source that shows the tasks of a swarm, if the engine is a manager. Events do not report tasks, so
 * it reads services and tasks again and again. The manager shows that a task must stop 3 s before the
 * process gets the signal. A client request never causes such a read, and a failed read changes nothing.
 */
import type { Engine } from "../../engine/engine.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent, SwarmEvent } from "../../engine/events.ts";
import { pause } from "../../ground/timers.ts";
import type { SwarmStatus } from "../../status.ts";
import { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Place } from "../docker/address.ts";
import type { TaskFollower } from "../docker/docker-init.ts";
import type { Itself } from "../docker/itself.ts";
import { TASK_ID_LABEL } from "../labels.ts";
import type { SightingListener, Source } from "../sighting.ts";
import { SwarmConnection } from "./connection.ts";
import { Handover } from "./handover.ts";
import { Nodes } from "./nodes.ts";
import { SOURCE, type Surroundings, serverOf } from "./observe.ts";
import { OwnNode } from "./own-node.ts";
import { servicesOf } from "./report.ts";
import { type Resolve, TaskDns } from "./task-dns.ts";
import { type Answer, TaskWatch } from "./task-watch.ts";
import { OwnWhereabouts } from "./whereabouts.ts";

export type SwarmSourceInit = {
  readonly engine: Pick<Engine, "services" | "tasks" | "nodes" | "attachments" | "inspect">;
  readonly fleet: { readonly join: (source: Source) => SightingListener };
  readonly log: Log;
  readonly drainTimeoutMs: number;
  /** The container that we run in; undefined outside a container. */
  readonly ownContainerId: string | undefined;
  /** What the container source knows about the proxy itself. Resolves when it knows it. */
  readonly own: () => Promise<Own>;
  /** Called when this source starts or stops following tasks. The caller must look at containers again. */
  readonly onChange: () => void;
  readonly resolve?: Resolve;
  readonly times?: SwarmTimes;
};

type Own = { readonly place: Place; readonly itself: Itself };

/** All in ms: see the constants. */
type SwarmTimes = {
  readonly pollMs?: number;
  readonly askMs?: number;
  readonly handoverMs?: number; // see `HandoverInit`
  /** How long containers wait for the first answer, because they may belong to tasks. */
  readonly decideMs?: number;
};

/** The poll interval. It is a sixth of the time between Swarm's decision and the stop signal. */
const POLL_MS = 500;
/** The longest interval, for slow reads. Even with a delay of 1 s (put-off.ts) we drain before the signal. */
const POLL_MAX_MS = 1_000;
/** Reads may take at most one part in this many of the time. */
const POLL_SHARE = 20;
const ASK_MS = 30_000;
/** After a failure. A manager that is starting, or elects a leader, may answer at any moment. */
const RETRY_MS = 1_000;
/** The minimum time from the end of one read to the start of the next, whatever events come. */
const APART_MS = 50;
/** A task list may show a stop, so it waits no longer than this for the other reads. */
const BESIDE_MS = 200;
/** What failed and what happens next, in the form that `BugReport` needs. */
const READING = "while it read the tasks of the swarm; it tries again soon";
const JUDGING = "while it updated the state of a task; it tries again at the next change";

export class SwarmSource implements Source, TaskFollower {
  readonly name = SOURCE;
  readonly #init: SwarmSourceInit;
  readonly #listener: SightingListener;
  readonly #connection: SwarmConnection;
  readonly #bugs: BugReport;
  readonly #watch: TaskWatch;
  readonly #ownNode: OwnNode;
  readonly #nodes: Nodes;
  readonly #whereabouts: OwnWhereabouts;
  readonly #dns: TaskDns;
  #own: Own | undefined;
  readonly #handover: Handover;
  /** Aborting it makes the next read start at once. */
  #waiting = new AbortController();
  #putOffTimer: Timer | undefined;
  readonly #opened = Promise.withResolvers<void>();

  constructor(init: SwarmSourceInit) {
    const { engine, log, ownContainerId, drainTimeoutMs } = init;
    this.#init = init;
    this.#connection = new SwarmConnection(log);
    this.#bugs = new BugReport(log);
    this.#nodes = new Nodes(() => engine.nodes());
    this.#ownNode = new OwnNode({
      inspect: (id) => engine.inspect(id),
      onChange: (taskId) => this.#judge((nowMs) => this.#watch.ownChanged(taskId, nowMs)),
      onNode: () => this.#judge((nowMs) => this.#watch.nodeFound(nowMs)),
      drainTimeoutMs,
      bugs: this.#bugs,
    });
    this.#whereabouts = new OwnWhereabouts({
      ownContainerId,
      attachments: () => engine.attachments(),
    });
    this.#handover = new Handover({
      onChange: init.onChange,
      onGivenBack: () => this.#judge(() => this.#watch.left()),
      handoverMs: init.times?.handoverMs,
    });
    this.#listener = init.fleet.join(this);
    this.#watch = new TaskWatch({
      listener: this.#listener,
      around: () => this.#surroundings,
      ownView: (task) => this.#ownNode.view(task),
    });
    this.#dns = new TaskDns((id, addresses) => {
      if (!this.#connection.isManager) return;
      this.#judge((nowMs) => this.#watch.sawNames(id, addresses, nowMs));
    }, init.resolve);
  }

  /**
   * Reads the tasks while the engine is a manager. Otherwise it asks from time to time whether the engine
   * has become one. Resolves when `signal` is aborted.
   */
  async follow(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#opened.resolve());
    await this.#opened.promise; // no need to ask before the engine answers at all
    this.#connection.asking(this.#init.times?.decideMs);
    while (!signal.aborted) {
      this.#waiting = new AbortController();
      const beganMs = performance.now();
      await this.#bugs.guard(READING, () => this.#read());
      this.#connection.tried();
      const tookMs = performance.now() - beganMs;
      await pause(APART_MS, signal);
      await pause(this.#pauseMs(tookMs), AbortSignal.any([signal, this.#waiting.signal]));
    }
    clearTimeout(this.#putOffTimer);
    this.#handover.stop();
  }

  isFollowing(): boolean {
    return this.#connection.isAnswering;
  }

  /** A list contains all changes from before it was made, so there is nothing to wait for. */
  settled(): Promise<void> {
    return Promise.resolve();
  }

  get takesTasks(): boolean {
    return this.#handover.takesTasks;
  }

  get decided(): Promise<void> {
    return this.#connection.decided;
  }

  onStreamOpen(): void {
    this.#nodes.changed();
    this.#opened.resolve();
    this.#waiting.abort();
  }

  onSwarmEvent({ what }: SwarmEvent): void {
    if (what === "node") this.#nodes.changed();
    this.#waiting.abort();
  }

  onTaskEvent(event: ContainerEvent): void {
    const taskId = event.attributes[TASK_ID_LABEL];
    if (taskId !== undefined) this.#ownNode.onEvent(event, taskId);
  }

  sawTaskContainer(): void {
    this.#connection.sawTaskContainer();
  }

  /** What `GET /status` shows about the swarm; null if the engine is not a manager. */
  get status(): SwarmStatus | null {
    const connection = this.#connection.status;
    if (connection === null) return null;
    const { services, tasks } = this.#watch;
    const watching = {
      ...{ services, tasks },
      told: (id: string) => this.#watch.told(id),
      takesRequests: (id: string) => this.#listener.takesRequests(serverOf(id)),
    };
    return { ...connection, services: servicesOf(watching, this.#nodes.all) };
  }

  async #read(): Promise<void> {
    const { engine } = this.#init;
    try {
      const services = await engine.services();
      const tasks = await engine.tasks();
      const isNew = this.#connection.isNew;
      this.#connection.answered();
      this.#handover.take(isNew);
      await this.#saw({ services, tasks });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#connection.failed(error);
      if (!this.#connection.isManager) this.#handover.giveBack();
      this.#listener.passed(!this.#connection.isExpected);
    }
  }

  async #saw(answer: Answer): Promise<void> {
    const [{ tasks }, own] = [answer, await this.#init.own()];
    const nowMs = performance.now();
    const reads = [this.#nodes.read(tasks, nowMs), this.#whereabouts.read(tasks, own.place, nowMs)];
    await Promise.race([Promise.all(reads), Bun.sleep(BESIDE_MS)]);
    this.#own = own;
    this.#watch.saw(answer, performance.now());
    const unclear = this.#watch.services.filter(({ healthcheck }) => healthcheck === "not given");
    const ids = new Set(unclear.map(({ id }) => id));
    this.#ownNode.consider(tasks, ({ serviceId }) => ids.has(serviceId));
    this.#carryOutPutOff();
    if (this.#whereabouts.now.networks.length > 0) this.#dns.ask(this.#watch.nameable);
    this.#listener.passed(true);
  }

  #carryOutPutOff(): void {
    clearTimeout(this.#putOffTimer);
    this.#judge((nowMs) => {
      const againMs = this.#watch.due(nowMs);
      const again = (): void => this.#carryOutPutOff();
      if (againMs !== undefined) this.#putOffTimer = setTimeout(again, againMs);
    });
  }

  /** Runs `act` for a timer or a callback. No caller handles its errors, and they must not end the process. */
  #judge(act: (nowMs: number) => void): void {
    void this.#bugs.guard(JUDGING, async () => act(performance.now()));
  }

  get #surroundings(): Surroundings {
    if (this.#own === undefined)
      throw new Error("Cannot tell where the proxy runs: it has not been read yet");
    const { now: whereabouts, serviceId: ownServiceId } = this.#whereabouts;
    const { itself } = this.#own;
    return { whereabouts, itself, nodes: this.#nodes.all, ownServiceId };
  }

  /** @returns how long to wait in addition to `APART_MS` */
  #pauseMs(tookMs: number): number {
    const { pollMs = POLL_MS, askMs = ASK_MS } = this.#init.times ?? {};
    if (this.#connection.isAnswering) {
      const everyMs = Math.max(pollMs, Math.min(POLL_MAX_MS, tookMs * POLL_SHARE));
      return Math.max(0, everyMs - tookMs - APART_MS);
    }
    return this.#connection.isExpected ? RETRY_MS : askMs;
  }
}
