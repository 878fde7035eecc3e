/** Stands in for what the proxy keeps of the engine of its own node: what that has told of the containers of tasks. */
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

  /** @param node undefined: there is none */
  constructor({ nodeEvents }: SwarmRecording, node: string | undefined) {
    this.#node = node;
    this.#events = nodeEvents.filter((event) => event.node === node);
  }

  /** @returns undefined if the task is on another node */
  view({ id, nodeId }: SwarmTask): OwnView | undefined {
    return nodeId === this.#node ? (this.#views.get(id) ?? FRESH) : undefined;
  }

  /** Takes what happened after one time up to another. */
  happened(afterMs: number, untilMs: number): readonly NodeEvent[] {
    const now = this.#events.filter(({ atMs }) => atMs > afterMs && atMs <= untilMs);
    for (const { taskId, what } of now) {
      const view = this.#views.get(taskId) ?? FRESH;
      this.#views.set(taskId, { ...view, ...CHANGES[what] });
    }
    return now;
  }
}
