/**
 * Keeps what the engine of our own node shows of the containers of tasks: it tells of health, pauses and ends at once,
 * and a manager does so seconds later or never. Which node is our own, it learns from that. It does not know what follows.
 */
import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import type { SwarmTask } from "../../engine/swarm.ts";
import { spaced } from "../../ground/coalesce.ts";
import { TIMER_MS_MAX } from "../../ground/timers.ts";
import type { BugReport } from "../../telemetry/bug-report.ts";
import { notHealthy } from "../docker/reasons.ts";
import { isStopSignal } from "../docker/stop-notices.ts";
import type { OwnView } from "./observe.ts";
import { hasStarted } from "./task-states.ts";

export type OwnNodeInit = {
  /** @throws {EngineError} if the engine can't tell */
  readonly inspect: (containerId: string) => Promise<Container | undefined>;
  /** Called when a view has changed. */
  readonly onChange: (taskId: string) => void;
  /** Called when it is known of one more node whether it is our own: that may change each view. */
  readonly onNode: () => void;
  /** How long a task counts as told to stop that lives on, ms. */
  readonly drainTimeoutMs: number;
  readonly bugs: BugReport;
};

/** Docker's own label of a task's container. */
const NODE_ID = "com.docker.swarm.node.id";

/** The signal that Swarm sends where the service names no other. */
const DEFAULT_STOP = { stopSignal: 15, signalIsHidden: false };
/** A burst of events of one container is so many looks at it. */
const LOOK_PACE_MS = 50;
/** Says what failed and what follows, as `BugReport` wants it. */
const LOOKING = "while it looked at the container of a task; it does so again at its next event";

type Known = {
  container: Container | undefined;
  isOver: boolean;
  stopping: Timer | undefined;
  readonly look: (containerId: string) => void;
};

const UNCLEAR: OwnView = {
  hasHealthcheck: undefined,
  isStopping: false,
  isOver: false,
  trouble: undefined,
};

export class OwnNode {
  readonly #init: OwnNodeInit;
  /** By task id. */
  readonly #known = new Map<string, Known>();
  #nodeId: string | undefined;
  /** Nodes whose containers our engine does not know. */
  readonly #others = new Set<string>();
  /** Ids of tasks that are being looked for, and of their nodes where it is not known whether they are our own. */
  readonly #sought = new Set<string>();

  constructor(init: OwnNodeInit) {
    this.#init = init;
  }

  /** @returns undefined if the task is on another node */
  view({ id, nodeId }: SwarmTask): OwnView | undefined {
    const known = this.#known.get(id);
    if (known === undefined) return this.#isElsewhere(nodeId) ? undefined : UNCLEAR;
    const { container, isOver, stopping } = known;
    return {
      hasHealthcheck: container && hasHealthcheck(container),
      isStopping: stopping !== undefined,
      isOver,
      trouble: container && troubleOf(container),
    };
  }

  /** An event of a task's container. */
  onEvent(event: ContainerEvent, taskId: string): void {
    const { kind, containerId, signal, attributes } = event;
    const nodeId = attributes[NODE_ID];
    if (nodeId !== undefined) this.#isOwn(nodeId);
    const known = this.#of(taskId);
    if (kind === "run over") known.isOver = true;
    else if (kind === "kill") {
      if (isStopSignal(signal, known.container ?? DEFAULT_STOP)) this.#stops(taskId, known);
    } else {
      known.look(containerId);
      return;
    }
    this.#init.onChange(taskId);
  }

  /**
   * Looks at those whose service shows no health check, if they may be here: only their container tells whether their
   * image has one. Looks again at those that are not healthy: an event may be lost, and a look may fail. Forgets all
   * others.
   *
   * @param tasks all that there are
   * @param isUnclear the service of the task shows no health check
   */
  consider(tasks: readonly SwarmTask[], isUnclear: (task: SwarmTask) => boolean): void {
    const ids = new Set(tasks.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#forget(id);
    for (const task of tasks) {
      if (!hasStarted(task) || task.containerId === "" || this.#isElsewhere(task.nodeId)) continue;
      const view = this.view(task);
      if (view?.trouble !== undefined) this.#known.get(task.id)?.look(task.containerId);
      else if (view?.hasHealthcheck === undefined && isUnclear(task)) this.#seek(task);
    }
  }

  /** One look at a time tells of an unknown node: where it is not our own, that is all that there is to know. */
  #seek(task: SwarmTask): void {
    const key = task.nodeId === this.#nodeId ? task.id : `node ${task.nodeId}`;
    if (this.#sought.has(key)) return;
    this.#sought.add(key);
    const find = async (): Promise<void> => {
      try {
        await this.#find(task);
      } finally {
        this.#sought.delete(key);
      }
    };
    void this.#init.bugs.guard(LOOKING, find);
  }

  #of(taskId: string): Known {
    const known = this.#known.get(taskId);
    if (known !== undefined) return known;
    let containerId = "";
    const look = spaced(LOOK_PACE_MS, () =>
      this.#init.bugs.guard(LOOKING, () => this.#look(taskId, containerId)),
    );
    const fresh: Known = {
      container: undefined,
      isOver: false,
      stopping: undefined,
      look: (id) => {
        containerId = id;
        void look();
      },
    };
    this.#known.set(taskId, fresh);
    return fresh;
  }

  async #find({ id, nodeId, containerId }: SwarmTask): Promise<void> {
    const container = await this.#inspect(containerId);
    if (container === "unknown") return;
    if (container !== undefined) {
      this.#of(id).container = container;
      this.#isOwn(nodeId);
      this.#init.onChange(id);
    } else if (!this.#isElsewhere(nodeId) && nodeId !== this.#nodeId) {
      this.#others.add(nodeId);
      this.#init.onNode();
    }
  }

  async #look(taskId: string, containerId: string): Promise<void> {
    const container = await this.#inspect(containerId);
    const known = this.#known.get(taskId);
    if (known === undefined || container === undefined || container === "unknown") return;
    known.container = container;
    this.#init.onChange(taskId);
  }

  async #inspect(containerId: string): Promise<Container | "unknown" | undefined> {
    try {
      return await this.#init.inspect(containerId);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return "unknown"; // the next event or answer leads to another look
    }
  }

  /** Whoever lives on for longer than any stop takes was not stopped. */
  #stops(taskId: string, known: Known): void {
    clearTimeout(known.stopping);
    const wholeMs = Math.max(this.#init.drainTimeoutMs, known.container?.stopTimeoutMs ?? 0);
    known.stopping = setTimeout(
      () => {
        known.stopping = undefined;
        this.#init.onChange(taskId);
      },
      Math.min(wholeMs, TIMER_MS_MAX),
    );
    known.stopping.unref();
  }

  #isOwn(nodeId: string): void {
    const isNew = nodeId !== this.#nodeId;
    this.#nodeId = nodeId;
    this.#others.delete(nodeId);
    if (isNew) this.#init.onNode();
  }

  #isElsewhere(nodeId: string): boolean {
    return this.#others.has(nodeId) || (this.#nodeId !== undefined && nodeId !== this.#nodeId);
  }

  #forget(taskId: string): void {
    clearTimeout(this.#known.get(taskId)?.stopping);
    this.#known.delete(taskId);
  }
}

/** @returns undefined before it has been started: only then the engine tells */
function hasHealthcheck({ status, health }: Container): boolean | undefined {
  return status === "running" || status === "paused" ? health !== "none" : undefined;
}

function troubleOf(container: Container): OwnView["trouble"] {
  const { status, health } = container;
  return status === "paused" || health === "unhealthy" ? notHealthy(container) : undefined;
}
