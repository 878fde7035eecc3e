/** Follows the engine: its event stream for as long as there is one, and a resync every so often. */
import { EngineError } from "../docker/engine-error.ts";
import type { ContainerEvent } from "../docker/events.ts";
import type { Log } from "../telemetry/log.ts";
import type { EngineConnection } from "./engine-connection.ts";
import { pause } from "./loop.ts";

export type WatchInit = {
  readonly engine: {
    readonly openEvents: (
      sinceMs: number,
      signal: AbortSignal,
    ) => Promise<AsyncGenerator<ContainerEvent>>;
  };
  readonly controller: {
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
  readonly resyncMs?: number;
  /** An event stream that has been silent for so long is opened again, ms. */
  readonly silenceMs?: number;
  /** An engine that has refused connections for so long will not come back by itself, ms. */
  readonly staleMs?: number;
};

export const RESYNC_MS = 30_000;
/** Nothing tells a silent stream from one whose other end is gone; opening another one costs next to nothing. */
const SILENCE_MS = 300_000;
/** Longer than any engine takes to start. */
const STALE_MS = 30_000;
/** So that a `docker stop` that began before us is known: the longest anybody's stop is likely to take. */
const LOOK_BACK_AT_START_MS = 600_000;
/** Events are not in strict order, and their times are rounded. */
const LOOK_BACK_MS = 2_000;
const RECONNECT_FIRST_MS = 200;
const RECONNECT_MAX_MS = 1_000;

/** Resolves when `signal` is aborted; until then it reconnects for ever. */
export async function watch(init: WatchInit): Promise<void> {
  const { controller, resyncMs = RESYNC_MS } = init;
  const stream: Stream = { doubted: new AbortController() };
  const timer = setInterval(async () => {
    const { doubted } = stream;
    await controller.resync();
    // An engine that hangs keeps its stream open and silent: whether it can be opened again tells.
    if (controller.isUnanswered) doubted.abort();
  }, resyncMs);
  try {
    await followEvents(init, stream);
  } finally {
    clearInterval(timer);
  }
}

/** The event stream there is: ends when it is doubted that the engine still writes to it. */
type Stream = { doubted: AbortController };

async function followEvents(init: WatchInit, stream: Stream): Promise<void> {
  const { controller, log, signal } = init;
  const report = connectionReport(init);
  let sinceMs = Date.now() - LOOK_BACK_AT_START_MS;
  let pauseMs = RECONNECT_FIRST_MS;
  while (!signal.aborted) {
    const beganMs = performance.now();
    let spentMs = 0; // on a try that failed: an engine that has let us wait for it is asked again at once
    try {
      const events = await openStream(init, stream, sinceMs);
      report.open();
      pauseMs = RECONNECT_FIRST_MS;
      controller.onStreamOpen();
      sinceMs = await readAll(events, controller.onEvent.bind(controller), sinceMs);
      init.connection.ended();
      log.debug("the event stream has ended; opening it again");
    } catch (error) {
      if (signal.aborted) return;
      report.failed(error);
      spentMs = performance.now() - beganMs;
    }
    const jitter = 0.75 + Math.random() / 2;
    const restMs = Math.max(0, pauseMs * jitter - spentMs);
    await pause(restMs, signal);
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MAX_MS);
  }
}

/** Ends by itself when nothing has come for too long. */
async function openStream(
  { engine, signal, silenceMs = SILENCE_MS }: WatchInit,
  stream: Stream,
  sinceMs: number,
): Promise<AsyncGenerator<ContainerEvent>> {
  const doubted = new AbortController();
  const events = await engine.openEvents(sinceMs, AbortSignal.any([signal, doubted.signal]));
  stream.doubted = doubted;
  return endIfSilent(events, doubted, silenceMs);
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

/** Says once when the engine goes, and once when it is back; a stream that merely ends is not worth a word. */
function connectionReport({ connection, log, staleMs = STALE_MS }: WatchInit): {
  readonly open: () => void;
  readonly failed: (error: unknown) => void;
} {
  const staleness = new Staleness(staleMs);
  let isStale = false;
  return {
    open: () => {
      const { state, reason } = connection.status;
      connection.opened();
      staleness.over();
      isStale = false;
      if (reason !== undefined) log.info("the Docker engine is back");
      else if (state === "connecting") log.info("connected to the Docker engine");
    },
    failed: (error) => {
      const isNew = connection.status.reason === undefined;
      const advice = staleness.adviceFor(error, performance.now());
      const reason = advice === undefined ? messageOf(error) : `${messageOf(error)} ${advice}`;
      connection.failed(reason);
      if (isNew) log.error(`${reason}; trying on until it answers`);
      else if (advice !== undefined && !isStale) log.error(reason);
      isStale ||= advice !== undefined;
    },
  };
}

/** How long a failure has lasted that calls for something else if it lasts. */
class Staleness {
  readonly #staleMs: number;
  #sinceMs: number | undefined;

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  over(): void {
    this.#sinceMs = undefined;
  }

  /** @returns what to do, if it has lasted for long enough */
  adviceFor(error: unknown, nowMs: number): string | undefined {
    const advice = error instanceof EngineError ? error.ifItLasts : undefined;
    this.#sinceMs = advice === undefined ? undefined : (this.#sinceMs ?? nowMs);
    if (this.#sinceMs === undefined) return undefined;
    return nowMs - this.#sinceMs >= this.#staleMs ? advice : undefined;
  }
}

/**
 * Hands on each event as it comes; nothing here waits for anything slow: a reader that stops slows
 * the whole engine down. However the stream ends, that is normal: a restart cuts it off.
 *
 * @returns from when on to ask for past events the next time
 */
async function readAll(
  events: AsyncGenerator<ContainerEvent>,
  onEvent: (event: ContainerEvent) => void,
  sinceMs: number,
): Promise<number> {
  let fromMs = sinceMs;
  try {
    for await (const event of events) {
      fromMs = Math.max(fromMs, event.timeMs - LOOK_BACK_MS);
      onEvent(event);
    }
  } catch {
    // cut off in the middle: the engine stopped, or something between us lost patience
  }
  return fromMs;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
