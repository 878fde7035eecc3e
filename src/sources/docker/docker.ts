/**
 * The source that shows the labelled containers of one Docker engine. It is level-triggered: it
 * looks at one container when an event names it, and at all containers at every resync. It looks at
 * several containers in parallel, so a slow inspect does not delay others. It does not know the state
 * of the fleet.
 */

import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent, EngineEvent } from "../../engine/events.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { sentence } from "../../ground/sentence.ts";
import { BugReport } from "../../telemetry/bug-report.ts";
import { WarnOnce } from "../../telemetry/warn-once.ts";
import { isLabelled, isOfTask } from "../labels.ts";
import type { SightingListener, Source } from "../sighting.ts";
import type { Place } from "./address.ts";
import { EngineConnection } from "./connection.ts";
import { ContainerLoop } from "./container-loop.ts";
import type { DockerSourceInit } from "./docker-init.ts";
import { follow } from "./follow.ts";
import type { Itself } from "./itself.ts";
import { SOURCE } from "./observe.ts";
import { OwnPlace } from "./own-place.ts";
import { RunHistory } from "./run-history.ts";
import { StopNotices } from "./stop-notices.ts";

/**
 * Replayed events come right after the headers of the stream. After this time we know about each stop
 * in progress.
 */
export const SETTLE_MS = 100;
/** A burst of events leads to one look at its beginning, and then to twenty looks a second. */
export const LOOK_PACE_MS = 50;
/** What failed and what happens next, in the form that `BugReport` needs. */
const PASSING = "while it looked at all containers; it tries again at the next resync";
/** How long we wait after a failed list, or after a pass that could not look at every container. */
const RETRY_MS = 1_000;

export class DockerSource implements Source {
  readonly name = SOURCE;
  /** The state of the connection to the engine. */
  readonly connection: EngineConnection;
  /** Lists the containers and looks at each one; never throws. */
  readonly resync: () => Promise<void>;
  readonly #init: DockerSourceInit;
  readonly #listener: SightingListener;
  readonly #notices: StopNotices;
  readonly #history = new RunHistory();
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
    this.connection = new EngineConnection(init.onConnection);
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

  /**
   * Follows the engine and reconnects for as long as it takes. Resolves when `signal` is aborted.
   */
  follow(signal: AbortSignal): Promise<void> {
    const { engine, log, times = {} } = this.#init;
    const { connection } = this;
    return follow({ engine, source: this, connection, log, signal, times });
  }

  isFollowing(): boolean {
    return this.connection.isFollowed;
  }

  settled(): Promise<void> {
    // We read `#settled` only after the place is known: a new stream may open in the meantime.
    return this.#ownPlace.known.then(() => this.#settled);
  }

  /** True if the engine did not answer the last list. */
  get isUnanswered(): boolean {
    return this.#listFailure?.kind === "unreachable";
  }

  /**
   * The event stream has been opened, for the first time or again. The source looks at no container
   * until the stream has settled.
   */
  onStreamOpen(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, this.#init.times?.settleMs ?? SETTLE_MS);
    this.#settled = promise;
    this.#init.tasks?.onStreamOpen();
    for (const loop of this.#loops.values()) loop.invalidate();
    void this.resync();
  }

  /** Acts on one event. It must not wait for anything: a reader that waits slows the engine down. */
  onEvent(event: EngineEvent): void {
    const { tasks } = this.#init;
    if (event.kind === "swarm changed") tasks?.onSwarmEvent(event);
    else if (tasks?.takesTasks === true && isOfTask(event.attributes)) tasks.onTaskEvent(event);
    else this.#onContainerEvent(event);
  }

  /** What we know about the proxy itself. Resolves when we know it. */
  async own(): Promise<{ readonly place: Place; readonly itself: Itself }> {
    await this.#ownPlace.known;
    return { place: this.#ownPlace.place, itself: this.#itself };
  }

  #onContainerEvent(event: ContainerEvent): void {
    const { kind, containerId, timeMs, signal } = event;
    const labelled = isLabelled(event.attributes);
    if (kind === "kill" && labelled) {
      this.#notices.record({ containerId, signal, timeMs });
    }
    if (labelled) this.#history.record(event);
    if (kind === "moved" && containerId === this.#init.own.containerId) void this.resync();
    const rank = this.#listener.nextRank();
    for (const loop of this.#loops.values()) {
      if (loop.peerId !== containerId) continue;
      loop.onPeerEvent(event);
      void loop.wake(rank);
    }
    // Networks send events about every container. Its own events show a container that is new to us.
    if ((kind === "moved" || !labelled) && !this.#loops.has(containerId)) return;
    const loop = this.#loop(containerId);
    loop.onEvent(event);
    void loop.wake(rank);
  }

  async #pass(): Promise<void> {
    await this.#init.tasks?.decided;
    if (this.#init.tasks?.takesTasks === true) {
      for (const loop of this.#loops.values()) if (loop.isOfTask) loop.leave();
    }
    const ids = await this.#list();
    if (ids === undefined) return;
    const rank = this.#listener.nextRank();
    // We also look at known containers that are not in the list: the list may be older than the event
    // that named them.
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
      const ids = await this.#init.engine.list((labels) => this.#isOurs(labels));
      this.#listFailure = undefined;
      return ids;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#reportListFailure(error);
      this.#retry();
      return undefined;
    }
  }

  #isOurs(labels: Readonly<Record<string, string>>): boolean {
    const { tasks } = this.#init;
    if (!isOfTask(labels)) return isLabelled(labels);
    tasks?.sawTaskContainer();
    return tasks?.takesTasks !== true && isLabelled(labels);
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
      history: this.#history,
      warnings: this.#warnings,
      log,
      bugs: this.#bugs,
      inspect: (containerId): Promise<Container | undefined> => engine.inspect(containerId),
      engineNowMs: () => engine.clock.nowMs(),
      around: () => ({ place: this.#ownPlace.place, itself: this.#itself }),
      settled: async () => {
        await this.#init.tasks?.decided; // it may belong to a task
        await this.settled();
      },
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
    // follow.ts reports when the engine cannot be reached, so here a debug line is enough.
    const level = this.isUnanswered ? "debug" : "warn";
    this.#init.log[level]("container list failed", {
      reason: `${sentence(reason)} The proxy keeps the last known state of all containers and tries again.`,
    });
  }
}
