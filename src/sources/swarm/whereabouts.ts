/**
 * Finds out where the proxy itself is in the swarm: on which of its networks, and in which service. If it runs on another
 * node than the engine that it asks, only the lists of tasks tell. It does not choose the address of any task.
 */
import { EngineError } from "../../engine/error.ts";
import type { SwarmTask } from "../../engine/swarm.ts";
import type { Place } from "../docker/address.ts";
import type { Whereabouts } from "./address.ts";

export type OwnWhereaboutsInit = {
  /** The container that we run in; undefined if we run in none. */
  readonly ownContainerId: string | undefined;
  /** The containers that `docker run` has put on networks of the swarm. @throws {EngineError} */
  readonly attachments: () => Promise<readonly SwarmTask[]>;
};

/** How often these containers are asked for, ms: the proxy may join another network. */
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

  /** The service that the proxy is a task of; undefined if it is in none. */
  get serviceId(): string | undefined {
    return this.#own?.serviceId || undefined;
  }

  get now(): Whereabouts {
    return this.#now;
  }

  /**
   * @param tasks all that the manager tells
   * @param place where the proxy is as the engine sees it
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
