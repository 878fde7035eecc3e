/**
 * Logs waiting requests: one line when the first request waits for a model, one when the last wait ends. A model whose
 * servers are often full would fill the log, so further pairs of lines within a minute are at debug level.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Log } from "../telemetry/log.ts";

/** The time from the first wait for a model to the end of the last one. */
type Episode = {
  readonly level: "info" | "debug";
  requests: number;
  longestMs: number;
};

const REPEAT_MS = 60_000;
const MODELS_MAX = 1_000;
/** The most pairs of lines a minute, for all models together. */
const PAIRS_MAX = 60;

export class WaitLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #episodes = new Map<string, Episode>();
  /** When the last pair of lines at info level began, by model. */
  readonly #saidMs = new BoundedMap<string, number>(MODELS_MAX);
  /** When the present minute of counting began, and how many pairs it has had. */
  #minuteMs = Number.NEGATIVE_INFINITY;
  #pairs = 0;

  /** @param now a monotonic clock, ms */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  entered(model: string, reason: string): void {
    const known = this.#episodes.get(model);
    if (known !== undefined) {
      known.requests += 1;
      return;
    }
    const level = this.#levelOf(model);
    this.#episodes.set(model, { level, requests: 1, longestMs: 0 });
    this.#log[level]("requests waiting", { model, reason });
  }

  /** @param isWaitedFor true if other requests still wait for the model */
  left(model: string, waitedMs: number, isWaitedFor: boolean): void {
    const episode = this.#episodes.get(model);
    if (episode === undefined) return;
    episode.longestMs = Math.max(episode.longestMs, waitedMs);
    if (isWaitedFor) return;
    this.#episodes.delete(model);
    const { level, requests, longestMs } = episode;
    this.#log[level]("no requests waiting", {
      model,
      requests,
      longest_seconds: Math.round(longestMs / 100) / 10,
    });
  }

  #levelOf(model: string): "info" | "debug" {
    const nowMs = this.#now();
    const saidMs = this.#saidMs.get(model) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - saidMs < REPEAT_MS) return "debug";
    if (nowMs - this.#minuteMs >= REPEAT_MS) [this.#minuteMs, this.#pairs] = [nowMs, 0];
    if (this.#pairs >= PAIRS_MAX) return "debug";
    this.#pairs += 1;
    this.#saidMs.set(model, nowMs);
    return "info";
  }
}
