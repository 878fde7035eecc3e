/**
 * Logs once when the collector becomes unreachable, and once when it is reachable again. Sends nothing.
 */
import { errorText } from "../ground/error-text.ts";
import type { Log } from "./log.ts";

export type Signal = "traces" | "metrics";

export class CollectorHealth {
  readonly #log: Log;
  readonly #failing = new Set<Signal>();
  #lastSuccessMs = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param begunMs when the attempt began; an attempt from before the last success does not count */
  failed(signal: Signal, error: unknown, begunMs: number): void {
    if (begunMs <= this.#lastSuccessMs) return;
    const isFirst = this.#failing.size === 0;
    this.#failing.add(signal);
    if (!isFirst) return;
    this.#log.warn("telemetry export failed", {
      signal,
      reason: errorText(error),
    });
  }

  succeeded(signal: Signal): void {
    this.#lastSuccessMs = performance.now();
    if (this.#failing.delete(signal) && this.#failing.size === 0) {
      this.#log.info("telemetry export recovered");
    }
  }
}
