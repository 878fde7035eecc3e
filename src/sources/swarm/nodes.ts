/**
 * Holds the nodes of the swarm: their names, addresses and states. They seldom change, so we read them
 * only when an event reports a change, or when a task is on a new node.
 */
import { EngineError } from "../../engine/error.ts";
import type { SwarmNode, SwarmTask } from "../../engine/swarm.ts";

/** How long we wait after a failed read, ms. */
const RETRY_MS = 30_000;

export class Nodes {
  readonly #ask: () => Promise<readonly SwarmNode[]>;
  #all: ReadonlyMap<string, SwarmNode> = new Map();
  /** The nodes of tasks at the last read. A node that is missing in the answer was removed. */
  #asked: ReadonlySet<string> = new Set();
  #isStale = true;
  #isAsking = false;
  #failedMs = Number.NEGATIVE_INFINITY;

  /** @param ask reads the nodes; must throw an `EngineError` if that fails */
  constructor(ask: () => Promise<readonly SwarmNode[]>) {
    this.#ask = ask;
  }

  /** All nodes by id. */
  get all(): ReadonlyMap<string, SwarmNode> {
    return this.#all;
  }

  /** A node has changed. */
  changed(): void {
    this.#isStale = true;
    this.#failedMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Reads the nodes if necessary. A failed read keeps the old list, and is not reported here: the reason
   * of a task says it if the task needs the node's address.
   *
   * @param tasks all tasks that the manager reports
   */
  async read(tasks: readonly SwarmTask[], nowMs: number): Promise<void> {
    const ids = new Set(tasks.map(({ nodeId }) => nodeId));
    const isNew = [...ids].some((id) => id !== "" && !this.#all.has(id) && !this.#asked.has(id));
    if (!(isNew || this.#isStale) || this.#isAsking || nowMs - this.#failedMs < RETRY_MS) return;
    this.#isAsking = true;
    this.#isStale = false;
    try {
      const nodes = await this.#ask();
      this.#asked = ids;
      this.#all = new Map(nodes.map((node) => [node.id, node]));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#isStale = true;
      this.#failedMs = nowMs;
    } finally {
      this.#isAsking = false;
    }
  }
}
