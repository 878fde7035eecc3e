/** Says once that the collector can't be reached, and once that it can again. */
import type { Log } from "./log.ts";

export type Signal = "traces" | "metrics";

export class CollectorHealth {
  readonly #log: Log;
  readonly #failing = new Set<Signal>();

  constructor(log: Log) {
    this.#log = log;
  }

  failed(signal: Signal, error: unknown): void {
    const isFirst = this.#failing.size === 0;
    this.#failing.add(signal);
    if (!isFirst) return;
    this.#log.warn("telemetry can't be sent; requests are not affected", {
      signal,
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  succeeded(signal: Signal): void {
    if (this.#failing.delete(signal) && this.#failing.size === 0) {
      this.#log.info("telemetry is sent again");
    }
  }
}
