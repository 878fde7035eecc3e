/**
 * The loop of one container: an event acts at once on what is held of it and asks for a look; a
 * look reads what the engine shows and brings what is held to it. Looks at one container never
 * overlap, and any number of wakes during one make one more.
 */
import type { Container } from "../docker/container.ts";
import type { ContainerEvent } from "../docker/events.ts";
import type { Log } from "../telemetry/log.ts";
import { coalesce } from "./loop.ts";
import { type Observation, observe, type Run } from "./observe.ts";
import type { StopNotices } from "./stop-notices.ts";
import { TrackedContainer, type TrackedInit } from "./tracked-container.ts";

export type ContainerLoopInit = TrackedInit & {
  readonly log: Log;
  readonly notices: StopNotices;
  /** @throws if it can't tell: that is no observation */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** See `Surroundings`. */
  readonly ownNetworkIds: () => ReadonlySet<string> | undefined;
  /** Nothing is held of the container any more, and no look is to come. */
  readonly onEmpty: (id: string) => void;
};

/** After an inspect that failed. */
const RETRY_MS = 1_000;

export class ContainerLoop {
  readonly #id: string;
  readonly #init: ContainerLoopInit;
  readonly #tracked: TrackedContainer;
  readonly #look: () => Promise<void>;
  /** Of the latest wake: the greater one saw the container become routable later. */
  #order = 0;
  /** Grows when a look under way has become too old to be trusted. */
  #epoch = 0;
  #ignoredFor: string | undefined;
  #inspectFailure: string | undefined;
  #lapseTimer: Timer | undefined;
  #retryTimer: Timer | undefined;

  constructor(id: string, init: ContainerLoopInit) {
    this.#id = id;
    this.#init = init;
    this.#tracked = new TrackedContainer(init);
    this.#look = coalesce(() => this.#inspectAndApply());
  }

  /** Resolves when the first read of its models has ended, well or not. */
  get firstRead(): Promise<void> {
    return this.#tracked.firstRead;
  }

  /** @returns when a look that began after this call has ended */
  wake(order: number): Promise<void> {
    this.#order = order;
    return this.#look();
  }

  /** What a look under way has read may be older than what is known now: it is made again. */
  invalidate(): void {
    this.#epoch += 1;
  }

  /** Acts at once, and only if the event is of the run that is held: an older one is a replay. */
  onEvent(event: ContainerEvent): void {
    const { run } = this.#tracked;
    if (event.kind === "run over") {
      this.invalidate();
      if (run !== undefined && event.timeMs > run.startedAtMs) this.#tracked.gone();
    }
    if (event.kind === "kill" && run !== undefined && this.#isStopping(run)) {
      this.#tracked.see("stopping", run, this.#order);
    }
  }

  async #inspectAndApply(): Promise<void> {
    let epoch: number;
    let order: number;
    let container: Container | undefined;
    do {
      await this.#init.settled();
      epoch = this.#epoch;
      order = this.#order;
      try {
        container = await this.#init.inspect(this.#id);
      } catch (error) {
        this.#reportFailure(error);
        clearTimeout(this.#retryTimer);
        this.#retryTimer = setTimeout(() => void this.#look(), RETRY_MS);
        return; // no observation: keep what is held
      }
    } while (this.#epoch !== epoch);
    this.#inspectFailure = undefined;
    this.#apply(container);
    this.#forgetIfEmpty(order);
  }

  #apply(container: Container | undefined): void {
    const observation = observe(container, {
      ownNetworkIds: this.#init.ownNetworkIds(),
      isStopping: (run) => this.#isStopping(run),
    });
    this.#reportIgnored(observation, container?.name);
    if (observation.kind === "absent") this.#tracked.gone();
    else if (observation.kind === "ignored") this.#tracked.lost();
    else this.#tracked.see(observation.seen, observation.run, this.#order);
  }

  /** Judges the notices against the run, and sees to it that it is judged again when they lapse. */
  #isStopping(run: Run): boolean {
    const nowMs = Date.now();
    const lapseMs = this.#init.notices.lapseOf(run, nowMs);
    if (lapseMs === undefined) return false;
    clearTimeout(this.#lapseTimer);
    this.#lapseTimer = setTimeout(() => void this.#look(), lapseMs - nowMs + 1);
    return true;
  }

  /** Not if it was woken since: another look is to come, and no second loop may start beside it. */
  #forgetIfEmpty(order: number): void {
    const empty = this.#tracked.isEmpty && this.#ignoredFor === undefined;
    if (!empty || this.#order !== order) return;
    clearTimeout(this.#lapseTimer);
    clearTimeout(this.#retryTimer);
    this.#init.onEmpty(this.#id);
  }

  #reportIgnored(observation: Observation, container: string | undefined): void {
    const reason = observation.kind === "ignored" ? observation.reason : undefined;
    if (reason !== undefined && reason !== this.#ignoredFor) {
      this.#init.log.warn("container ignored", { container, reason });
    }
    this.#ignoredFor = reason;
  }

  #reportFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#inspectFailure === reason) return;
    this.#inspectFailure = reason;
    this.#init.log.warn("cannot inspect a container; keeping what is known of it", {
      container: this.#tracked.run?.containerName ?? this.#id.slice(0, 12),
      reason,
    });
  }
}
