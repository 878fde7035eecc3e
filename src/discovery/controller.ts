/**
 * The control loop: the only writer of the routing table. Level-triggered: it looks at what the
 * engine shows of a container and brings what is held to it. A container is looked at when an event
 * names it, and all are at every resync; looks at several run side by side, so a slow one holds up
 * no other.
 */
import type { Container } from "../docker/container.ts";
import { EngineError } from "../docker/engine-error.ts";
import type { ContainerEvent } from "../docker/events.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Log } from "../telemetry/log.ts";
import { ContainerLoop } from "./container-loop.ts";
import { atMostEvery, coalesce, spaced } from "./loop.ts";
import type { ModelList } from "./model-list.ts";
import { warnOfOverlaps } from "./overlaps.ts";
import { OwnPlace } from "./own-place.ts";
import { ServedModels } from "./served-models.ts";
import type { ContainerStatus } from "./status-report.ts";
import { StopNotices } from "./stop-notices.ts";
import { WarnOnce } from "./warn-once.ts";

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
  /** The container we run in, if any. */
  readonly ownContainerId: string | undefined;
  /** See `OwnPlaceInit`. */
  readonly lookUpHost: () => Promise<string | undefined>;
  readonly readModels: (url: string, signal: AbortSignal) => Promise<ModelList>;
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

export const READY_TIMEOUT_MS = 10_000;
/** Replayed events come right after the headers of the stream: a stop under way is known by then. */
export const SETTLE_MS = 100;
/** Anybody who asks for models that don't exist makes us read them. */
export const REFRESH_MS = 5_000;
/** Whoever may load adapters makes us read them. */
const REFRESH_OF_MS = 1_000;
/** After a list that failed. */
const RETRY_MS = 1_000;

export class Controller {
  readonly #init: ControllerInit;
  readonly #notices: StopNotices;
  readonly #loops = new Map<string, ContainerLoop>();
  readonly #warnings: WarnOnce;
  readonly #served: ServedModels;
  readonly #ownPlace: OwnPlace;
  #order = 0;
  #settled: Promise<void> = Promise.resolve();
  #listFailure: unknown;
  #retryTimer: Timer | undefined;
  #firstListMs: number | undefined;
  #ready: "no pass yet" | "reading models" | "ready" = "no pass yet";
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
    this.#served = new ServedModels(init.table);
    this.#ownPlace = new OwnPlace({
      ownContainerId: init.ownContainerId,
      inspect: (id) => init.engine.inspect(id),
      lookUpHost: init.lookUpHost,
      onChange: () => void this.resync(),
    });
    this.resync = coalesce(() => this.#pass());
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
  refreshModelsOf(containerId: string): Promise<void> {
    const loop = this.#loops.get(containerId);
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
    return this.#ready === "ready";
  }

  /** Whether the engine gave no answer when it was asked last who is there. */
  get isUnanswered(): boolean {
    return this.#listFailure instanceof EngineError && this.#listFailure.kind === "unreachable";
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
    if (kind === "kill" && signal !== undefined && labelled) {
      this.#notices.record({ containerId, signal, timeMs });
    }
    if (kind === "moved" && containerId === this.#init.ownContainerId) void this.resync();
    this.#order += 1;
    for (const loop of this.#loops.values()) {
      if (loop.peerId !== containerId) continue;
      loop.onPeerEvent(event);
      void loop.wake(this.#order);
    }
    // Networks tell of any container; one that is not known yet is found by its own events.
    if ((kind === "moved" || !labelled) && !this.#loops.has(containerId)) return;
    const loop = this.#loop(containerId);
    loop.onEvent(event);
    void loop.wake(this.#order);
  }

  async #pass(): Promise<void> {
    const ids = await this.#list();
    if (ids === undefined) return;
    this.#order += 1;
    // Who is held but not listed is looked at too: the list may be older than what made us hold it.
    const all = new Set([...ids, ...this.#loops.keys()]);
    await Promise.all([...all].map((id) => this.#loop(id).wake(this.#order)));
    if (this.#ready === "no pass yet" && this.#isComplete()) this.#awaitFirstReads();
  }

  /** A container that could not be inspected may be one to wait for, but not for ever. */
  #isComplete(): boolean {
    this.#firstListMs ??= performance.now();
    const { readyTimeoutMs = READY_TIMEOUT_MS } = this.#init;
    const late = performance.now() - this.#firstListMs >= readyTimeoutMs;
    if (late || [...this.#loops.values()].every(({ hasSeen }) => hasSeen)) return true;
    this.#retry();
    return false;
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.resync(), RETRY_MS);
  }

  #awaitFirstReads(): void {
    this.#ready = "reading models";
    const { log, readyTimeoutMs = READY_TIMEOUT_MS } = this.#init;
    const reads = [...this.#loops.values()].map(({ firstRead }) => firstRead);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, readyTimeoutMs);
    void Promise.race([Promise.all(reads), late.promise]).then(() => {
      clearTimeout(timer);
      this.#ready = "ready";
      log.info("ready", { models: this.#init.table.models.length });
    });
  }

  async #list(): Promise<readonly string[] | undefined> {
    try {
      await this.#ownPlace.read([...this.#loops.values()].some(({ isOnHost }) => isOnHost));
      const ids = await this.#init.engine.list();
      this.#listFailure = undefined;
      return ids;
    } catch (error) {
      this.#reportListFailure(error);
      this.#retry();
      return undefined;
    }
  }

  #loop(id: string): ContainerLoop {
    const known = this.#loops.get(id);
    if (known !== undefined) return known;
    const loop = new ContainerLoop(id, {
      ...this.#init,
      notices: this.#notices,
      warnings: this.#warnings,
      inspect: (containerId) => this.#init.engine.inspect(containerId),
      served: this.#served,
      place: () => this.#ownPlace.place,
      settled: () => this.#settled,
      onOverlap: (overlaps) => warnOfOverlaps(this.#warnings, overlaps),
      onGone: () => {
        if (this.#loops.get(id) === loop) this.#loops.delete(id);
      },
    });
    this.#loops.set(id, loop);
    return loop;
  }

  #reportListFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isKnown = this.#listFailure instanceof Error && this.#listFailure.message === reason;
    this.#listFailure = error;
    if (isKnown) return;
    // Whether the engine can be reached at all is for who follows its event stream to say.
    const level = this.isUnanswered ? "debug" : "warn";
    this.#init.log[level]("cannot list containers; keeping what is known", { reason });
  }
}
