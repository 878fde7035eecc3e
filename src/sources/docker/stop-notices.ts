/**
 * Keeps which containers got a stop signal, and judges when that lapses. A stop under way is the
 * one fact that the engine tells by an event alone: until the process has ended, an inspect still
 * says running and healthy. This file reads no clock: all times are the engine's own, in ms since
 * the epoch.
 */
import type { Container } from "../../engine/container.ts";
import { BoundedMap } from "../../ground/bounded-map.ts";

export type Kill = {
  readonly containerId: string;
  /** Undefined if the engine did not tell it. */
  readonly signal: number | undefined;
  readonly timeMs: number;
};

/**
 * What decides which kills of a container count as a stop. If labels hide the signal, all count.
 */
export type NoticedContainer = Pick<
  Container,
  "id" | "startedAtMs" | "stopSignal" | "stopTimeoutMs" | "signalIsHidden"
>;

/** SIGINT, SIGQUIT, SIGKILL and SIGTERM end most servers, whatever their own stop signal is. */
const STOP_SIGNALS: ReadonlySet<number> = new Set([2, 3, 9, 15]);

const KEPT_MAX = 1_000;

/** True if a signal tells the container to stop. If labels hide the signal, each one may. */
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
   * Keeps a kill, with any signal and of any container. Only the next inspect of the container
   * tells what the signal means to it.
   */
  record(kill: Kill): void {
    const key = `${kill.containerId} ${kill.signal}`;
    const known = this.#kills.get(key);
    if (known !== undefined && known.timeMs >= kill.timeMs) return; // a replay
    this.#kills.set(key, kill);
  }

  /**
   * Returns when the stop notice of a container lapses. By then the run has lived on for longer
   * than any stop takes.
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
