/**
 * Keeps which containers got a stop signal, and decides when the stop notice lapses. A stop in progress
 * is the only fact that the engine reports only in an event: until the process has ended, an inspect
 * still shows a running and healthy container. This file reads no clock: all times are the engine's
 * own, in ms since the epoch.
 */
import type { Container } from "../../engine/container.ts";
import { BoundedMap } from "../../ground/bounded-map.ts";

export type Kill = {
  readonly containerId: string;
  /** Undefined if the engine did not report it. */
  readonly signal: number | undefined;
  readonly timeMs: number;
};

/**
 * The fields that decide which kills of a container count as a stop. If labels hide the signal, every
 * kill counts.
 */
export type NoticedContainer = Pick<
  Container,
  "id" | "startedAtMs" | "stopSignal" | "stopTimeoutMs" | "signalIsHidden"
>;

/** SIGINT, SIGQUIT, SIGKILL and SIGTERM end most servers, whatever their configured stop signal is. */
const STOP_SIGNALS: ReadonlySet<number> = new Set([2, 3, 9, 15]);

const KEPT_MAX = 1_000;

/** True if a signal tells the container to stop. If labels hide the signal, we assume that it does. */
export function isStopSignal(
  signal: number | undefined,
  { stopSignal, signalIsHidden }: Pick<Container, "stopSignal" | "signalIsHidden">,
): boolean {
  return signalIsHidden || signal === stopSignal || STOP_SIGNALS.has(signal ?? 0);
}

export class StopNotices {
  readonly #drainTimeoutMs: number;
  /** For each container and each signal, the latest kill. */
  readonly #kills = new BoundedMap<string, Kill>(KEPT_MAX);

  constructor(drainTimeoutMs: number) {
    this.#drainTimeoutMs = drainTimeoutMs;
  }

  /**
   * Keeps a kill of any container with any signal. Only the next inspect of the container shows what
   * the signal means for it.
   */
  record(kill: Kill): void {
    const key = `${kill.containerId} ${kill.signal}`;
    const known = this.#kills.get(key);
    if (known !== undefined && known.timeMs >= kill.timeMs) return; // a replay
    this.#kills.set(key, kill);
  }

  /**
   * Returns when the stop notice of a container lapses. A run that lives that long was not stopped.
   *
   * @returns undefined if no notice is newer than the run, or if it has already lapsed
   */
  lapseOf(container: NoticedContainer, nowMs: number): number | undefined {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { timeMs } of this.#killsOf(container)) {
      if (timeMs > container.startedAtMs) lastMs = Math.max(lastMs, timeMs);
    }
    const lapseMs = lastMs + this.durationOf(container);
    return lapseMs > nowMs ? lapseMs : undefined;
  }

  /** How long a stop notice of a container counts, ms. */
  durationOf({ stopTimeoutMs }: Pick<Container, "stopTimeoutMs">): number {
    return Math.max(this.#drainTimeoutMs, stopTimeoutMs);
  }

  /** For each signal that counts as a stop, the latest kill. */
  #killsOf({ id: containerId, stopSignal, signalIsHidden }: NoticedContainer): readonly Kill[] {
    if (signalIsHidden) {
      return [...this.#kills.values()].filter((kill) => kill.containerId === containerId);
    }
    const signals = [...new Set(STOP_SIGNALS).add(stopSignal)];
    return signals.flatMap((signal) => this.#kills.get(`${containerId} ${signal}`) ?? []);
  }
}
