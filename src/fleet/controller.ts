/**
 * The control loop: the only writer of the routing table. Level-triggered: it looks at what the
 * engine shows of a container and brings what is held to it. A container is looked at when an event
 * names it, and all are at every resync; looks at several run side by side, so a slow one holds up
 * no other.
 */
import type { Container } from "../engine/container.ts";
import { EngineError } from "../engine/error.ts";
import type { ContainerEvent } from "../engine/events.ts";
import { atMostEvery, coalesce, spaced } from "../ground/coalesce.ts";
import { Ranks, type Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";
import { ContainerLoop } from "../sources/docker/container-loop.ts";
import type { Itself, Listening } from "../sources/docker/itself.ts";
import { OwnPlace, type RemoteEngine } from "../sources/docker/own-place.ts";
import { StopNotices } from "../sources/docker/stop-notices.ts";
import { BugReport } from "../telemetry/bug-report.ts";
import type { Log } from "../telemetry/log.ts";
import { WarnOnce } from "../telemetry/warn-once.ts";
import type { ModelList } from "./model-list.ts";
import { warnOfOverlaps } from "./overlaps.ts";
import { Readiness } from "./readiness.ts";
import type { ContainerStatus } from "./report.ts";
import { ServedModels } from "./served-models.ts";

/** What the controller asks of the engine; both throw if it can't tell. */
type EngineReader = {
  readonly list: () => Promise<readonly string[]>;
  readonly inspect: (id: string) => Promise<Container | undefined>;
};

export type ControllerInit = {
  readonly engine: EngineReader;
  readonly table: RoutingTable;
  readonly log: Log;
  readonly drainTimeoutMs: number;
  /** See `EngineClock`. */
  readonly engineNowMs: () => number;
  /** The container we run in, if any. */
  readonly ownContainerId: string | undefined;
  /** Where we take requests. */
  readonly listening: Listening;
  /** See `Itself`. */
  readonly program: string;
  /** See `OwnPlaceInit`; the same for the next three. */
  readonly lookUpHost: () => Promise<string | undefined>;
  readonly readModels: (url: string, signal: AbortSignal) => Promise<ModelList>;
  readonly remote: RemoteEngine | undefined;
  readonly ownAddresses: () => readonly string[];
  readonly refusedMs?: number;
  /** Longest wait for the first read of models until ready, ms. */
  readonly readyTimeoutMs?: number;
  /** See `TrackedInit`. */
  readonly isFollowing?: () => boolean;
  /** For this long after the event stream has opened nobody is admitted, ms. */
  readonly settleMs?: number;
  /** From one look at a container to the next at the least, ms. */
  readonly lookPaceMs?: number;
  /** Between two reads of an active backend's models, ms. */
  readonly rereadMs?: number;
  /** Between two reads of all models that were asked for, ms. */
  readonly refreshMs?: number;
  /** Between two reads of one container's models that were asked for, ms. */
  readonly refreshOfMs?: number;
};

/** Replayed events come right after the headers of the stream: a stop under way is known by then. */
export const SETTLE_MS = 100;
/** Anybody who asks for models that don't exist makes us read them. */
export const REFRESH_MS = 5_000;
/** Whoever may load adapters makes us read them. */
const REFRESH_OF_MS = 1_000;
/** See `BugReport`. */
const PASSING = "while it looked at all containers; it does so again at the next resync";
/** After a list that failed. */
const RETRY_MS = 1_000;

export class Controller {
  readonly #init: ControllerInit;
  readonly #notices: StopNotices;
  readonly #loops = new Map<string, ContainerLoop>();
  readonly #warnings: WarnOnce;
  readonly #bugs: BugReport;
  readonly #served: ServedModels;
  readonly #ownPlace: OwnPlace;
  readonly #ranks = new Ranks();
  #settled: Promise<void> = Promise.resolve();
  #listFailure: EngineError | undefined;
  #retryTimer: Timer | undefined;
  readonly #readiness: Readiness;
  /** Reads what is there and looks at all of it; never throws. */
  readonly resync: () => Promise<void>;
  /**
   * Reads the models of all active backends, at most every 5 s: calls until then share what the first
   * one began. Resolves when all those reads have ended, well or not, which takes as long as the
   * slowest of them; never throws.
   */
  readonly refreshModels: () => Promise<void>;
  /** Reads of single containers that are to come or under way: they are known to be needed. */
  readonly #asked = new Set<Promise<void>>();
  /** What `refreshModelsOf` calls. */
  readonly #refreshes = new WeakMap<ContainerLoop, () => Promise<void>>();

  constructor(init: ControllerInit) {
    this.#init = init;
    this.#notices = new StopNotices(init.drainTimeoutMs);
    this.#warnings = new WarnOnce(init.log);
    this.#bugs = new BugReport(init.log);
    this.#readiness = new Readiness(init.readyTimeoutMs, () => {
      init.log.info("ready", { models: init.table.models.length });
    });
    this.#served = new ServedModels(init.table);
    this.#ownPlace = new OwnPlace({
      ...init,
      inspect: (id) => init.engine.inspect(id),
      onChange: () => void this.resync(),
    });
    this.resync = coalesce(() => this.#bugs.guard(PASSING, () => this.#pass()));
    const { refreshMs = REFRESH_MS } = init;
    const refresh = atMostEvery(refreshMs, async () => {
      await Promise.all([...this.#loops.values()].map((loop) => loop.rereadModels()));
    });
    this.refreshModels = async () => void (await Promise.all([refresh(), ...this.#asked]));
  }

  /**
   * Reads the models of one container's active backend, which are known to have changed: at once, but
   * no sooner than 1 s after it was asked for the last time.
   *
   * @returns when a read that began after this call has ended, well or not; at once if there is none
   */
  refreshModelsOf({ id }: Server): Promise<void> {
    const loop = this.#loops.get(id);
    if (loop === undefined) return Promise.resolve();
    const { refreshOfMs = REFRESH_OF_MS } = this.#init;
    const refresh = this.#refreshes.get(loop) ?? spaced(refreshOfMs, () => loop.rereadModels());
    this.#refreshes.set(loop, refresh);
    const asked = refresh();
    this.#asked.add(asked);
    return asked.finally(() => this.#asked.delete(asked));
  }

  /** What is known of each labelled container, by name. */
  get containers(): readonly ContainerStatus[] {
    return [...this.#loops.values()]
      .map(({ status }) => status)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether each container that the first pass found routable has been asked for its models. */
  get isReady(): boolean {
    return this.#readiness.isReady;
  }

  /** Whether the engine gave no answer when it was asked last who is there. */
  get isUnanswered(): boolean {
    return this.#listFailure?.kind === "unreachable";
  }

  /** The event stream is open, again or for the first time: admits nobody until it has settled. */
  onStreamOpen(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, this.#init.settleMs ?? SETTLE_MS);
    this.#settled = promise;
    for (const loop of this.#loops.values()) loop.invalidate();
    void this.resync();
  }

  /** Must not wait for anything: the engine slows down if its events are not read. */
  onEvent(event: ContainerEvent): void {
    const { kind, containerId, timeMs, signal, labelled } = event;
    if (kind === "kill" && labelled) {
      this.#notices.record({ containerId, signal, timeMs });
    }
    if (kind === "moved" && containerId === this.#init.ownContainerId) void this.resync();
    const rank = this.#ranks.next();
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
    const rank = this.#ranks.next();
    // Who is held but not listed is looked at too: the list may be older than what made us hold it.
    const all = new Set([...ids, ...this.#loops.keys()]);
    await Promise.all([...all].map((id) => this.#loop(id).wake(rank)));
    if (!this.#readiness.passed([...this.#loops.values()])) this.#retry();
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.resync(), RETRY_MS);
  }

  async #list(): Promise<readonly string[] | undefined> {
    try {
      await this.#ownPlace.read([...this.#loops.values()].some(({ isOnHost }) => isOnHost));
      const ids = await this.#init.engine.list();
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
    const { program, listening } = this.#init;
    const { container, addresses } = this.#ownPlace;
    return { container, program, addresses, listening };
  }

  #loop(id: string): ContainerLoop {
    const known = this.#loops.get(id);
    if (known !== undefined) return known;
    const loop = new ContainerLoop(id, {
      ...this.#init,
      notices: this.#notices,
      warnings: this.#warnings,
      bugs: this.#bugs,
      inspect: (containerId) => this.#init.engine.inspect(containerId),
      served: this.#served,
      around: () => ({ place: this.#ownPlace.place, itself: this.#itself }),
      // Read when it is known: a stream may have been opened since.
      settled: () => this.#ownPlace.known.then(() => this.#settled),
      onOverlap: (overlaps) => warnOfOverlaps(this.#warnings, overlaps),
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
