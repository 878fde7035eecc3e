/**
 * Keeps what our own node's engine shows about the containers of tasks. The engine reports health, pauses
 * and ends at once, but a manager reports them seconds later or never. This also shows which node is our
 * own. It does not decide what the proxy does.
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
  /** @throws {EngineError} if the call fails */
  readonly inspect: (containerId: string) => Promise<Container | undefined>;
  /** Called when a view has changed. */
  readonly onChange: (taskId: string) => void;
  /** Called when we learn whether a node is our own. That may change the view of every task. */
  readonly onNode: () => void;
  /** How long a running task counts as told to stop after a stop signal, ms. */
  readonly drainTimeoutMs: number;
  readonly bugs: BugReport;
};

/** Docker sets this label on the container of a task. */
const NODE_ID = "com.docker.swarm.node.id";

/** The signal that Swarm sends if the service sets no other one. */
const DEFAULT_STOP = { stopSignal: 15, signalIsHidden: false };
/** The minimum time between two looks at one container, ms. */
const LOOK_PACE_MS = 50;
/** What failed and what happens next, in the form that `BugReport` needs. */
const LOOKING = "while it inspected the container of a task; it tries again at the next event";

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
  /** The nodes whose containers our engine does not know. */
  readonly #others = new Set<string>();
  /** What we are looking for now: ids of tasks on our own node, and ids of nodes that may be our own. */
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
   * Looks at tasks that may be on our node and whose service has no health check: only the container
   * shows whether the image has one. Looks again at unhealthy tasks, because an event may be lost and a
   * look may fail. Forgets tasks that no longer exist.
   *
   * @param tasks all existing tasks
   * @param isUnclear true if the service of the task shows no health check
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

  /** For an unknown node we look at one task at a time: one look is enough to know that the node is not ours. */
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
      return "unknown"; // the next event or answer causes another look
    }
  }

  /** Marks the task as stopping. A task that lives longer than any stop takes was not stopped. */
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

/** @returns undefined before the container has started, because the engine shows it only then */
function hasHealthcheck({ status, health }: Container): boolean | undefined {
  return status === "running" || status === "paused" ? health !== "none" : undefined;
}

function troubleOf(container: Container): OwnView["trouble"] {
  const { status, health } = container;
  return status === "paused" || health === "unhealthy" ? notHealthy(container) : undefined;
}
