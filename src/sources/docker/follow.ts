/** Follows an engine: reads its event stream for as long as there is one, and resyncs every so often. */
import type { EventsInit } from "../../engine/engine.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { pause } from "../../ground/timers.ts";
import { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import type { EngineConnection } from "./connection.ts";
import { type ConnectionReport, connectionReport } from "./connection-report.ts";

export type FollowInit = {
  readonly engine: {
    readonly openEvents: (init: EventsInit) => Promise<AsyncGenerator<ContainerEvent>>;
  };
  /** Who acts on what comes. */
  readonly source: {
    readonly onStreamOpen: () => void;
    readonly onEvent: (event: ContainerEvent) => void;
    readonly resync: () => Promise<void>;
    /** Whether the engine gave no answer to the last resync. */
    readonly isUnanswered: boolean;
  };
  /** Is told how it stands with the engine. */
  readonly connection: EngineConnection;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly times: FollowTimes;
};

/** All in ms. */
export type FollowTimes = {
  readonly resyncMs?: number;
  /** An event stream that has been silent for so long is opened again. */
  readonly silenceMs?: number;
  /** An engine that has refused connections for so long will not come back by itself. */
  readonly staleMs?: number;
};

export const RESYNC_MS = 30_000;
/** Nothing tells a silent stream from one whose other end is gone; opening another one costs next to nothing. */
const SILENCE_MS = 300_000;
/** So that a `docker stop` that began before us is known: the longest anybody's stop is likely to take. */
const LOOK_BACK_AT_START_MS = 600_000;
/** Events are not in strict order, and their times are rounded. */
const LOOK_BACK_MS = 2_000;
/** From an event that met with a bug to the resync that mends what it was to change. */
const MEND_MS = 200;
const RECONNECT_FIRST_MS = 200;
const RECONNECT_MAX_MS = 1_000;

/** Resolves when `signal` is aborted; until then it reconnects for ever. */
export async function follow(init: FollowInit): Promise<void> {
  const { source } = init;
  const follower = new Follower(init);
  const timer = setInterval(async () => {
    const { doubted } = follower;
    await source.resync();
    // An engine that hangs keeps its stream open and silent: whether it can be opened again tells.
    if (source.isUnanswered) doubted.abort();
  }, init.times.resyncMs ?? RESYNC_MS);
  try {
    await follower.follow();
  } finally {
    clearInterval(timer);
  }
}

class Follower {
  /** Ends the event stream that there is, when it is doubted that the engine still writes to it. */
  doubted = new AbortController();
  readonly #init: FollowInit;
  readonly #report: ConnectionReport;
  readonly #bugs: BugReport;
  /** Engine time from which on past events are asked for. */
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
      let spentMs = 0; // on a try that failed: an engine that has let us wait for it is asked again at once
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

  /** Returns when the stream has ended: a restart cuts it off, and that is normal. */
  async #followOnce(): Promise<void> {
    const { connection, source, log } = this.#init;
    const events = await this.#open();
    this.#report.open();
    this.#pauseMs = RECONNECT_FIRST_MS;
    this.#guard("while it began to follow the engine; it goes on", () => source.onStreamOpen());
    await this.#readAll(events);
    connection.ended();
    log.debug("the event stream has ended; opening it again");
  }

  /** The stream ends by itself when nothing has come for too long. */
  async #open(): Promise<AsyncGenerator<ContainerEvent>> {
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

  /** The last event may have come before the engine's clock was set back: then it tells nothing. */
  #since(engineNowMs: number): number {
    const atStartMs = engineNowMs - LOOK_BACK_AT_START_MS;
    this.#sinceMs ??= atStartMs;
    if (this.#sinceMs > engineNowMs) this.#sinceMs = atStartMs;
    return this.#sinceMs;
  }

  /**
   * Hands on each event as it comes; nothing here waits for anything slow: a reader that stops slows
   * the whole engine down. An event that meets with a bug of ours counts as seen: it would do so again.
   */
  async #readAll(events: AsyncGenerator<ContainerEvent>): Promise<void> {
    for await (const event of events) {
      const sinceMs = event.timeMs - LOOK_BACK_MS;
      this.#sinceMs = Math.max(this.#sinceMs ?? sinceMs, sinceMs);
      const doing = `while it acted on an event ("${event.kind}"); it goes on and looks at all containers`;
      this.#guard(doing, () => this.#init.source.onEvent(event));
    }
  }

  /** What the source failed to do is found by a resync. */
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
    this.#init.connection.failed(`a bug in the proxy: ${String(error)}`);
    this.#bugs.tell("while it followed the engine; it opens the event stream again", error);
    this.#pauseMs = RECONNECT_MAX_MS;
  }

  /** Once is enough: whoever has such labels has them at each start. */
  #tellOfLongLine(): void {
    if (this.#hasToldOfLongLine) return;
    this.#hasToldOfLongLine = true;
    this.#init.log.warn(
      "the engine told of an event in a line of more than 4 MiB, which is not read: what happens to that container, a stop too, may be seen only at the next look at all of them",
      { resync_ms: this.#init.times.resyncMs ?? RESYNC_MS },
    );
  }
}

async function* endIfSilent(
  events: AsyncGenerator<ContainerEvent>,
  doubted: AbortController,
  silenceMs: number,
): AsyncGenerator<ContainerEvent> {
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
