/**
 * The source that shows the labelled containers of one Docker engine. Level-triggered: a container is looked
 * at when an event names it, and all are at every resync. Looks at several run side by side, so a slow one
 * holds up no other. What is held of what it shows is not known here.
 */

import type { EngineClock } from "../../engine/clock.ts";
import type { Container } from "../../engine/container.ts";
import type { Engine } from "../../engine/engine.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import { WarnOnce } from "../../telemetry/warn-once.ts";
import { isLabelled } from "../labels.ts";
import type { SightingListener, Source } from "../sighting.ts";
import { EngineConnection } from "./connection.ts";
import { ContainerLoop } from "./container-loop.ts";
import { type FollowTimes, follow } from "./follow.ts";
import type { Itself, Listening } from "./itself.ts";
import { SOURCE } from "./observe.ts";
import { OwnPlace, type OwnPlaceInit } from "./own-place.ts";
import { StopNotices } from "./stop-notices.ts";

export type DockerSourceInit = {
  readonly engine: EngineReader;
  readonly fleet: { readonly join: (source: Source) => SightingListener };
  readonly log: Log;
  /** How long requests may go on when their server is stopped: a stop notice lapses no sooner, ms. */
  readonly drainTimeoutMs: number;
  /** What is known of the proxy itself. */
  readonly own: OwnInit;
  readonly times?: Times;
};

/** What is asked of the engine. */
type EngineReader = Pick<Engine, "list" | "inspect" | "openEvents"> & {
  readonly clock: Pick<EngineClock, "nowMs">;
};

type OwnInit = Pick<OwnPlaceInit, "lookUpHost" | "remote"> & {
  /** The container we run in, if any. */
  readonly containerId: string | undefined;
  /** Of our interfaces, canonical. */
  readonly addresses: () => readonly string[];
  /** Where we take requests. */
  readonly listening: Listening;
  /** See `Itself`. */
  readonly program: string;
};

/** All in ms. */
export type Times = FollowTimes & {
  /** For this long after the event stream has opened nobody is looked at or admitted. */
  readonly settleMs?: number;
  /** From one look at a container to the next at the least. */
  readonly lookPaceMs?: number;
  /** See `OwnPlaceInit`. */
  readonly refusedMs?: number;
};

/** Replayed events come right after the headers of the stream: a stop under way is known by then. */
export const SETTLE_MS = 100;
/** A burst of events is one look at its beginning, and twenty a second while it lasts. */
export const LOOK_PACE_MS = 50;
/** See `BugReport`. */
const PASSING = "while it looked at all containers; it does so again at the next resync";
/** After a list that failed, or a pass that could not look at everybody. */
const RETRY_MS = 1_000;

export class DockerSource implements Source {
  readonly name = SOURCE;
  /** How it stands with the engine. */
  readonly connection = new EngineConnection();
  /** Reads what is there and looks at all of it; never throws. */
  readonly resync: () => Promise<void>;
  readonly #init: DockerSourceInit;
  readonly #listener: SightingListener;
  readonly #notices: StopNotices;
  readonly #loops = new Map<string, ContainerLoop>();
  readonly #warnings: WarnOnce;
  readonly #bugs: BugReport;
  readonly #ownPlace: OwnPlace;
  #settled: Promise<void> = Promise.resolve();
  #listFailure: EngineError | undefined;
  #retryTimer: Timer | undefined;

  constructor(init: DockerSourceInit) {
    const { engine, log, own, times } = init;
    this.#init = init;
    this.#notices = new StopNotices(init.drainTimeoutMs);
    this.#warnings = new WarnOnce(log);
    this.#bugs = new BugReport(log);
    this.#ownPlace = new OwnPlace({
      ownContainerId: own.containerId,
      inspect: (id) => engine.inspect(id),
      lookUpHost: own.lookUpHost,
      remote: own.remote,
      ownAddresses: own.addresses,
      onChange: () => void this.resync(),
      log,
      ...(times?.refusedMs !== undefined && { refusedMs: times.refusedMs }),
    });
    this.resync = coalesce(() => this.#bugs.guard(PASSING, () => this.#pass()));
    this.#listener = init.fleet.join(this);
  }

  /** Resolves when `signal` is aborted; until then it follows the engine, and reconnects for ever. */
  follow(signal: AbortSignal): Promise<void> {
    const { engine, log, times = {} } = this.#init;
    const { connection } = this;
    return follow({ engine, source: this, connection, log, signal, times });
  }

  isFollowing(): boolean {
    return this.connection.isFollowed;
  }

  settled(): Promise<void> {
    // Read when the place is known: a stream may have been opened since.
    return this.#ownPlace.known.then(() => this.#settled);
  }

  /** Whether the engine gave no answer when it was asked last who is there. */
  get isUnanswered(): boolean {
    return this.#listFailure?.kind === "unreachable";
  }

  /** The event stream is open, again or for the first time: nobody is looked at until it has settled. */
  onStreamOpen(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, this.#init.times?.settleMs ?? SETTLE_MS);
    this.#settled = promise;
    for (const loop of this.#loops.values()) loop.invalidate();
    void this.resync();
  }

  /** Must not wait for anything: the engine slows down if its events are not read. */
  onEvent(event: ContainerEvent): void {
    const { kind, containerId, timeMs, signal } = event;
    const labelled = isLabelled(event.attributes);
    if (kind === "kill" && labelled) {
      this.#notices.record({ containerId, signal, timeMs });
    }
    if (kind === "moved" && containerId === this.#init.own.containerId) void this.resync();
    const rank = this.#listener.nextRank();
    for (const loop of this.#loops.values()) {
      if (loop.peerId !== containerId) continue;
      loop.onPeerEvent(event);
      void loop.wake(rank);
    }
    // Networks tell of any container; one that is not known yet is found by its own events.
    if ((kind === "moved" || !labelled) && !this.#loops.has(containerId)) return;
    const loop = this.#loop(containerId);
    loop.onEvent(event);
    void loop.wake(rank);
  }

  async #pass(): Promise<void> {
    const ids = await this.#list();
    if (ids === undefined) return;
    const rank = this.#listener.nextRank();
    // Who is known but not listed is looked at too: the list may be older than what made us know it.
    const all = new Set([...ids, ...this.#loops.keys()]);
    await Promise.all([...all].map((id) => this.#loop(id).wake(rank)));
    const isComplete = [...this.#loops.values()].every(({ hasSeen }) => hasSeen);
    if (!this.#listener.passed(isComplete)) this.#retry();
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.resync(), RETRY_MS);
  }

  async #list(): Promise<readonly string[] | undefined> {
    try {
      await this.#ownPlace.read([...this.#loops.values()].some(({ isOnHost }) => isOnHost));
      const ids = await this.#init.engine.list(isLabelled);
      this.#listFailure = undefined;
      return ids;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#reportListFailure(error);
      this.#retry();
      return undefined;
    }
  }

  get #itself(): Itself {
    const { program, listening } = this.#init.own;
    const { container, addresses } = this.#ownPlace;
    return { container, program, addresses, listening };
  }

  #loop(id: string): ContainerLoop {
    const known = this.#loops.get(id);
    if (known !== undefined) return known;
    const { engine, log, times } = this.#init;
    const loop = new ContainerLoop(id, {
      listener: this.#listener,
      notices: this.#notices,
      warnings: this.#warnings,
      log,
      bugs: this.#bugs,
      inspect: (containerId): Promise<Container | undefined> => engine.inspect(containerId),
      engineNowMs: () => engine.clock.nowMs(),
      around: () => ({ place: this.#ownPlace.place, itself: this.#itself }),
      settled: () => this.settled(),
      lookPaceMs: times?.lookPaceMs ?? LOOK_PACE_MS,
      onGone: () => {
        if (this.#loops.get(id) === loop) this.#loops.delete(id);
      },
    });
    this.#loops.set(id, loop);
    return loop;
  }

  #reportListFailure(error: EngineError): void {
    const reason = error.message;
    const isKnown = this.#listFailure?.message === reason;
    this.#listFailure = error;
    if (isKnown) return;
    // Whether the engine can be reached at all is for who follows its event stream to say.
    const level = this.isUnanswered ? "debug" : "warn";
    this.#init.log[level]("cannot list containers; keeping what is known", { reason });
  }
}
