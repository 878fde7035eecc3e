/**
 * Holds the nodes of the swarm: their names, addresses and states. They change seldom, so they are read when an event tells
 * of a change, or when a task is on a node that nobody has asked for yet.
 */
import { EngineError } from "../../engine/error.ts";
import type { SwarmNode, SwarmTask } from "../../engine/swarm.ts";

/** How long a manager that does not tell is left alone, ms. */
const RETRY_MS = 30_000;

export class Nodes {
  readonly #ask: () => Promise<readonly SwarmNode[]>;
  #all: ReadonlyMap<string, SwarmNode> = new Map();
  /** Nodes of tasks, as they were when we asked last: one that is not among the answers was removed. */
  #asked: ReadonlySet<string> = new Set();
  #isStale = true;
  #isAsking = false;
  #failedMs = Number.NEGATIVE_INFINITY;

  /** @param ask must throw an `EngineError` if the manager does not tell */
  constructor(ask: () => Promise<readonly SwarmNode[]>) {
    this.#ask = ask;
  }

  /** By their ids. */
  get all(): ReadonlyMap<string, SwarmNode> {
    return this.#all;
  }

  /** Something has changed with some node. */
  changed(): void {
    this.#isStale = true;
    this.#failedMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Reads them, if that is due. If that fails, what is known stays: it is said where it matters, in the reason of a task.
   *
   * @param tasks all that the manager tells
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
