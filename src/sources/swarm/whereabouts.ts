/**
 * Finds out where the proxy is in the swarm: on which networks, and in which service. If the proxy runs
 * on another node than the engine, only the task lists show it. It does not choose the address of a task.
 */
import { EngineError } from "../../engine/error.ts";
import type { SwarmTask } from "../../engine/swarm.ts";
import type { Place } from "../docker/address.ts";
import type { Whereabouts } from "./address.ts";

export type OwnWhereaboutsInit = {
  /** The container that we run in; undefined outside a container. */
  readonly ownContainerId: string | undefined;
  /** Returns the containers that `docker run` has connected to swarm networks. @throws {EngineError} */
  readonly attachments: () => Promise<readonly SwarmTask[]>;
};

/** How often we read these containers, ms. The proxy may join another network. */
const ASK_AGAIN_MS = 10_000;

const NOWHERE: readonly SwarmTask[] = [];

export class OwnWhereabouts {
  readonly #init: OwnWhereaboutsInit;
  #attachments = NOWHERE;
  #askedMs = Number.NEGATIVE_INFINITY;
  #own: SwarmTask | undefined;
  #now: Whereabouts = { networks: [], isOnHost: true };

  constructor(init: OwnWhereaboutsInit) {
    this.#init = init;
  }

  /** The service of the proxy; undefined if the proxy is not a task. */
  get serviceId(): string | undefined {
    return this.#own?.serviceId || undefined;
  }

  get now(): Whereabouts {
    return this.#now;
  }

  /**
   * @param tasks all tasks that the manager reports
   * @param place where the proxy runs, from the container source
   */
  async read(tasks: readonly SwarmTask[], place: Place, nowMs: number): Promise<void> {
    this.#own = await this.#find(tasks, place, nowMs);
    if (place.kind === "container") {
      this.#now = { networks: place.networks, isOnHost: false };
      return;
    }
    const networks = (this.#own?.networks ?? []).filter(({ isIngress }) => !isIngress);
    this.#now = { networks, isOnHost: networks.every(({ name }) => name === "host") };
  }

  async #find(
    tasks: readonly SwarmTask[],
    { kind }: Place,
    nowMs: number,
  ): Promise<SwarmTask | undefined> {
    const { ownContainerId } = this.#init;
    if (ownContainerId === undefined) return undefined;
    const isOwn = ({ containerId }: SwarmTask): boolean => containerId === ownContainerId;
    const own = tasks.find(isOwn);
    if (own !== undefined || kind === "container") return own;
    if (nowMs - this.#askedMs >= ASK_AGAIN_MS) {
      this.#askedMs = nowMs;
      this.#attachments = await this.#readAttachments();
    }
    return this.#attachments.find(isOwn);
  }

  async #readAttachments(): Promise<readonly SwarmTask[]> {
    try {
      return await this.#init.attachments();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return this.#attachments;
    }
  }
}
