/**
 * Reports the state of the connection to the engine in the log and in `GET /status`. It does not open
 * the connection, and does not decide when to try again.
 */

import type { EngineError } from "../../engine/error.ts";
import { sentence } from "../../ground/sentence.ts";
import type { Log } from "../../telemetry/log.ts";
import type { EngineConnection } from "./connection.ts";

export type ConnectionReportInit = {
  readonly connection: EngineConnection;
  readonly log: Log;
  /** After this time we assume that an engine that refuses connections will not recover by itself, ms. */
  readonly staleMs?: number;
};

export type ConnectionReport = {
  readonly open: () => void;
  readonly failed: (error: EngineError) => void;
};

/** Longer than any engine takes to start. */
const STALE_MS = 30_000;

/**
 * Logs once when the engine goes away and once when it is back. It does not log the end of a stream.
 */
export function connectionReport({
  connection,
  log,
  staleMs = STALE_MS,
}: ConnectionReportInit): ConnectionReport {
  const staleness = new Staleness(staleMs);
  let isStale = false;
  return {
    open: () => {
      const { state, reason } = connection.status;
      connection.opened();
      staleness.over();
      isStale = false;
      if (reason !== undefined) log.info("engine reconnected");
      else if (state === "connecting") log.info("engine connected");
    },
    failed: (error) => {
      const isNew = connection.status.reason === undefined;
      const advice = staleness.adviceFor(error, performance.now());
      const reason = advice === undefined ? error.message : `${sentence(error.message)} ${advice}`;
      connection.failed(reason);
      if (isNew)
        log.error("engine unreachable", {
          reason: `${sentence(reason)} The proxy tries again until the engine answers.`,
        });
      else if (advice !== undefined && !isStale) log.error("engine unreachable", { reason });
      isStale ||= advice !== undefined;
    },
  };
}

/** Measures how long a failure lasts. Some failures need other advice when they last. */
class Staleness {
  readonly #staleMs: number;
  #sinceMs: number | undefined;

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  over(): void {
    this.#sinceMs = undefined;
  }

  /** @returns what to do, once the failure has lasted for `staleMs` */
  adviceFor({ ifItLasts: advice }: EngineError, nowMs: number): string | undefined {
    this.#sinceMs = advice === undefined ? undefined : (this.#sinceMs ?? nowMs);
    if (this.#sinceMs === undefined) return undefined;
    return nowMs - this.#sinceMs >= this.#staleMs ? advice : undefined;
  }
}
