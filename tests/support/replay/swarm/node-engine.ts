/** Stands in for the proxy's record of its own node's engine: the reports about the containers of tasks. */
import type { SwarmTask } from "../../../../src/engine/swarm.ts";
import type { OwnView } from "../../../../src/sources/swarm/observe.ts";
import type { NodeEvent, SwarmRecording } from "./recording.ts";

const FRESH: OwnView = {
  ...{ hasHealthcheck: true, isStopping: false, isOver: false, trouble: undefined },
};

const CHANGES: Readonly<Record<NodeEvent["what"], Partial<OwnView>>> = {
  "stop signal": { isStopping: true },
  over: { isOver: true },
  unhealthy: { trouble: { state: "unhealthy", reason: "it is" } },
  healthy: { trouble: undefined },
};

export class NodeEngine {
  readonly #events: readonly NodeEvent[];
  readonly #node: string | undefined;
  readonly #views = new Map<string, OwnView>();

  /** @param node undefined: no engine of a node */
  constructor({ nodeEvents }: SwarmRecording, node: string | undefined) {
    this.#node = node;
    this.#events = nodeEvents.filter((event) => event.node === node);
  }

  /** @returns undefined if the task is on another node */
  view({ id, nodeId }: SwarmTask): OwnView | undefined {
    return nodeId === this.#node ? (this.#views.get(id) ?? FRESH) : undefined;
  }

  /** Takes the events between two times. */
  happened(afterMs: number, untilMs: number): readonly NodeEvent[] {
    const now = this.#events.filter(({ atMs }) => atMs > afterMs && atMs <= untilMs);
    for (const { taskId, what } of now) {
      const view = this.#views.get(taskId) ?? FRESH;
      this.#views.set(taskId, { ...view, ...CHANGES[what] });
    }
    return now;
  }
}
