/**
 * Follows an engine: keeps its event stream open, passes on each event, and asks for a resync at
 * regular intervals. It does not know what an event means.
 */
import type { EventsInit } from "../../engine/engine.ts";
import { EngineError } from "../../engine/error.ts";
import type { EngineEvent } from "../../engine/events.ts";
import { pause } from "../../ground/timers.ts";
import { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import type { EngineConnection } from "./connection.ts";
import { type ConnectionReport, connectionReport } from "./connection-report.ts";

export type FollowInit = {
  readonly engine: {
    readonly openEvents: (init: EventsInit) => Promise<AsyncGenerator<EngineEvent>>;
  };
  /** The source that acts on the events. */
  readonly source: {
    readonly onStreamOpen: () => void;
    readonly onEvent: (event: EngineEvent) => void;
    readonly resync: () => Promise<void>;
    /** True if the engine did not answer the last resync. */
    readonly isUnanswered: boolean;
  };
  /** Holds the state of the connection; see connection.ts. */
  readonly connection: EngineConnection;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly times: FollowTimes;
};

/** All in ms. */
export type FollowTimes = {
  readonly resyncMs?: number;
  /** After this much silence we open the event stream again. */
  readonly silenceMs?: number;
  /** After this time we assume that an engine that refuses connections will not recover by itself. */
  readonly staleMs?: number;
};

export const RESYNC_MS = 30_000;
/** A silent stream may be dead, and we cannot see the difference. Opening it again is cheap. */
const SILENCE_MS = 300_000;
/**
 * How far back the first stream asks for events, so that we learn about a `docker stop` that began
 * before the proxy started. Hardly any stop takes longer.
 */
const LOOK_BACK_AT_START_MS = 600_000;
/**
 * How far back from the last event a later stream asks for events. Events are not in strict order,
 * and their times are rounded.
 */
const LOOK_BACK_MS = 2_000;
/** If handling an event fails because of a bug, we resync after this time to make up for it. */
const MEND_MS = 200;
const RECONNECT_FIRST_MS = 200;
const RECONNECT_MAX_MS = 1_000;

/** Follows the engine and reconnects for as long as it takes. Resolves when `signal` is aborted. */
export async function follow(init: FollowInit): Promise<void> {
  const { source } = init;
  const follower = new Follower(init);
  const timer = setInterval(async () => {
    const { doubted } = follower;
    await source.resync();
    // An engine that hangs keeps its stream open and silent. We see that only by opening it again.
    if (source.isUnanswered) doubted.abort();
  }, init.times.resyncMs ?? RESYNC_MS);
  try {
    await follower.follow();
  } finally {
    clearInterval(timer);
  }
}

class Follower {
  /** Aborting it ends the open event stream, when we doubt that the engine still writes to it. */
  doubted = new AbortController();
  readonly #init: FollowInit;
  readonly #report: ConnectionReport;
  readonly #bugs: BugReport;
  /** The engine's time from which on the next stream asks for past events. */
  #sinceMs: number | undefined;
  #pauseMs = RECONNECT_FIRST_MS;
  #mending: Timer | undefined;
  #hasToldOfLongLine = false;

  constructor(init: FollowInit) {
    this.#init = init;
    const { connection, log, times } = init;
    this.#report = connectionReport({ connection, log, ...times });
    this.#bugs = new BugReport(init.log);
  }

  async follow(): Promise<void> {
    const { signal } = this.#init;
    while (!signal.aborted) {
      const beganMs = performance.now();
      // How long a failed attempt took. It counts as part of the pause: if we have already waited for
      // the engine that long, we ask again at once.
      let spentMs = 0;
      try {
        await this.#followOnce();
      } catch (error) {
        if (signal.aborted) break;
        this.#failed(error);
        spentMs = performance.now() - beganMs;
      }
      const jitter = 0.75 + Math.random() / 2;
      await pause(Math.max(0, this.#pauseMs * jitter - spentMs), signal);
      this.#pauseMs = Math.min(this.#pauseMs * 2, RECONNECT_MAX_MS);
    }
    clearTimeout(this.#mending);
  }

  /** Reads one event stream to its end. A restart of the engine ends it, and that is normal. */
  async #followOnce(): Promise<void> {
    const { connection, source, log } = this.#init;
    const events = await this.#open();
    this.#report.open();
    this.#pauseMs = RECONNECT_FIRST_MS;
    this.#guard("while it handled a new event stream; it continues", () => source.onStreamOpen());
    await this.#readAll(events);
    connection.ended();
    log.debug("event stream ended");
  }

  /** Opens the event stream. The stream ends by itself when it has been silent for too long. */
  async #open(): Promise<AsyncGenerator<EngineEvent>> {
    const { engine, signal, times } = this.#init;
    const doubted = new AbortController();
    const events = await engine.openEvents({
      since: (engineNowMs) => this.#since(engineNowMs),
      signal: AbortSignal.any([signal, doubted.signal]),
      onLongLine: () => this.#tellOfLongLine(),
    });
    this.doubted = doubted;
    return endIfSilent(events, doubted, times.silenceMs ?? SILENCE_MS);
  }

  /**
   * Chooses from which time on to ask for events. If the last event seems to be in the future, the
   * engine's clock was set back. Then the event's time is useless, and we ask as at the start.
   */
  #since(engineNowMs: number): number {
    const atStartMs = engineNowMs - LOOK_BACK_AT_START_MS;
    this.#sinceMs ??= atStartMs;
    if (this.#sinceMs > engineNowMs) this.#sinceMs = atStartMs;
    return this.#sinceMs;
  }

  /**
   * Passes on each event at once. Nothing here may wait: a reader that stops slows the whole engine
   * down. An event that triggers a bug of ours counts as seen, because it would trigger it again.
   */
  async #readAll(events: AsyncGenerator<EngineEvent>): Promise<void> {
    for await (const event of events) {
      const sinceMs = event.timeMs - LOOK_BACK_MS;
      this.#sinceMs = Math.max(this.#sinceMs ?? sinceMs, sinceMs);
      const doing = `while it handled an event ("${event.kind}"); it continues and looks at all containers`;
      this.#guard(doing, () => this.#init.source.onEvent(event));
    }
  }

  /** Calls `act`. If that throws, a resync soon makes up for it. */
  #guard(doing: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#bugs.tell(doing, error);
      this.#mending ??= setTimeout(() => {
        this.#mending = undefined;
        void this.#init.source.resync();
      }, MEND_MS);
    }
  }

  #failed(error: unknown): void {
    if (error instanceof EngineError) {
      this.#report.failed(error);
      return;
    }
    this.#init.connection.failed(`a bug in the proxy, please report it: ${String(error)}`);
    this.#bugs.tell("while it read the event stream; it opens the stream again", error);
    this.#pauseMs = RECONNECT_MAX_MS;
  }

  /** Warns only once: a container with such long labels causes such lines at each start. */
  #tellOfLongLine(): void {
    if (this.#hasToldOfLongLine) return;
    this.#hasToldOfLongLine = true;
    this.#init.log.warn("event skipped", {
      resync_ms: this.#init.times.resyncMs ?? RESYNC_MS,
      reason:
        "The engine sent an event of more than 4 MiB. The proxy does not read such events. It may notice a change of that container, even a stop, only at its next look at all containers.",
    });
  }
}

async function* endIfSilent(
  events: AsyncGenerator<EngineEvent>,
  doubted: AbortController,
  silenceMs: number,
): AsyncGenerator<EngineEvent> {
  const timer = setTimeout(() => doubted.abort(), silenceMs);
  try {
    for await (const event of events) {
      timer.refresh();
      yield event;
    }
  } finally {
    clearTimeout(timer);
  }
}
