/**
 * What the log says of requests that wait: one line when the first waits for a model, one when the last is
 * through. A model whose servers are full now and then would fill the log: within a minute of the last pair of
 * lines the next ones are written at debug level.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Log } from "../telemetry/log.ts";

/** From the first that waits for a model to the last that is through. */
type Episode = {
  readonly level: "info" | "debug";
  requests: number;
  longestMs: number;
};

const REPEAT_MS = 60_000;
const MODELS_MAX = 1_000;
/** So many pairs of lines a minute at most, of all models together. */
const PAIRS_MAX = 60;

export class WaitLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #episodes = new Map<string, Episode>();
  /** When the last pair of lines at level info began, by model. */
  readonly #saidMs = new BoundedMap<string, number>(MODELS_MAX);
  /** When the minute began in which pairs are counted, and how many it has had. */
  #minuteMs = Number.NEGATIVE_INFINITY;
  #pairs = 0;

  /** @param now ms, by a clock that never goes back */
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
    this.#log[level]("requests wait for a model", { model, reason });
  }

  /** @param isWaitedFor others wait for the model still */
  left(model: string, waitedMs: number, isWaitedFor: boolean): void {
    const episode = this.#episodes.get(model);
    if (episode === undefined) return;
    episode.longestMs = Math.max(episode.longestMs, waitedMs);
    if (isWaitedFor) return;
    this.#episodes.delete(model);
    const { level, requests, longestMs } = episode;
    this.#log[level]("no request waits for the model any more", {
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
