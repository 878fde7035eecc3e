/**
 * Where requests wait for a model that is expected back, or for room: first in, first out for each model. Decides
 * nothing about where a request goes, and sends nothing.
 */
import type { Log } from "../telemetry/log.ts";

export type WaitingRoomInit = {
  /** The longest wait, ms; 0: nobody waits. */
  readonly timeoutMs: number;
  readonly log: Log;
};

export class WaitingRoom {
  readonly #counts = new Map<string, number>();

  constructor(init: WaitingRoomInit) {
    if (init.timeoutMs > 0) init.log.debug("the waiting room is open"); // the founder writes this
  }

  /** How many requests wait for each model that some wait for, by its id. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Tells all that wait that the proxy is being stopped. Nobody waits from now on. */
  close(): void {
    this.#counts.clear();
  }
}
