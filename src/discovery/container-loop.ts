/**
 * The loop of one container: an event acts at once on what is held of it and asks for a look; a
 * look reads what the engine shows and brings what is held to it. Looks at one container never
 * overlap, and any number of wakes during one make one more.
 */
import type { Container } from "../docker/container.ts";
import type { ContainerEvent } from "../docker/events.ts";
import { LABELS, unknownLabels } from "../docker/labels.ts";
import { coalesce } from "./loop.ts";
import { type Observation, observe, type Run } from "./observe.ts";
import type { StopNotices } from "./stop-notices.ts";
import { TrackedContainer, type TrackedInit } from "./tracked-container.ts";
import type { WarnOnce } from "./warn-once.ts";

export type ContainerLoopInit = TrackedInit & {
  readonly notices: StopNotices;
  readonly warnings: WarnOnce;
  /** @throws if it can't tell: that is no observation */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** See `Surroundings`. */
  readonly ownNetworkIds: () => ReadonlySet<string> | undefined;
  /** Nothing is held of the container any more, and no look is to come. */
  readonly onEmpty: () => void;
};

/** After an inspect that failed. */
const RETRY_MS = 1_000;
/** The longest that a timer of the runtime can wait, 24.8 days; a longer one fires at once. */
const TIMER_MS_MAX = 2_147_483_647;

const WAITING = "waiting for a container to become healthy";
const UNHEALTHY = "a container is unhealthy and not routed";

export class ContainerLoop {
  readonly #id: string;
  readonly #init: ContainerLoopInit;
  readonly #tracked: TrackedContainer;
  readonly #look: () => Promise<void>;
  /** Of the latest wake: the greater one saw the container become routable later. */
  #order = 0;
  /** How many looks have been asked for. */
  #asked = 0;
  /** Grows when a look under way has become too old to be trusted. */
  #epoch = 0;
  #inspectFailure: string | undefined;
  #ignored = false;
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

  /** Whether the last look saw anything: an inspect that failed is no observation. */
  get hasSeen(): boolean {
    return this.#inspectFailure === undefined;
  }

  /** @returns when a look that began after this call has ended */
  wake(order: number): Promise<void> {
    this.#order = order;
    return this.#ask();
  }

  /** See `TrackedContainer`. */
  rereadModels(): Promise<void> {
    return this.#tracked.rereadModels();
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

  #ask(): Promise<void> {
    this.#asked += 1;
    return this.#look();
  }

  async #inspectAndApply(): Promise<void> {
    const asked = this.#asked; // whoever asks from here on gets a look of their own after this one
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
        this.#retryTimer = setTimeout(() => void this.#ask(), RETRY_MS);
        return; // no observation: keep what is held
      }
    } while (this.#epoch !== epoch);
    this.#inspectFailure = undefined;
    this.#apply(container, order);
    this.#forgetIfEmpty(asked);
  }

  #apply(container: Container | undefined, order: number): void {
    const observation = observe(container, {
      ownNetworkIds: this.#init.ownNetworkIds(),
      isStopping: (run) => this.#isStopping(run),
    });
    this.#reportIgnored(observation, container);
    if (container && observation.kind === "seen") this.#reportWaiting(observation, container);
    if (observation.kind === "absent") this.#tracked.gone();
    else if (observation.kind === "ignored") this.#tracked.lost();
    else this.#tracked.see(observation.seen, observation.run, order);
  }

  /** Judges the notices against the run, and sees to it that it is judged again when they lapse. */
  #isStopping(run: Run): boolean {
    const nowMs = Date.now();
    const lapseMs = this.#init.notices.lapseOf(run, nowMs);
    if (lapseMs === undefined) return false;
    clearTimeout(this.#lapseTimer);
    const delayMs = Math.min(lapseMs - nowMs + 1, TIMER_MS_MAX);
    this.#lapseTimer = setTimeout(() => void this.#ask(), delayMs);
    return true;
  }

  /** Not if a look was asked for since: no second loop may start beside it. */
  #forgetIfEmpty(asked: number): void {
    if (!this.#tracked.isEmpty || this.#ignored || this.#asked !== asked) return;
    clearTimeout(this.#lapseTimer);
    clearTimeout(this.#retryTimer);
    this.#init.onEmpty();
  }

  #reportIgnored(observation: Observation, container: Container | undefined): void {
    const { warnings } = this.#init;
    this.#ignored = observation.kind === "ignored";
    if (observation.kind === "ignored") {
      const fields = { container: container?.name, reason: observation.reason };
      warnings.warn([this.#id], "container ignored", fields);
    }
    if (observation.kind === "seen") warnings.mend(this.#id, "container ignored");
    if (container === undefined) warnings.forget(this.#id);
  }

  /** A container that is not routed yet is not passed over in silence: that is where everybody looks first. */
  #reportWaiting({ seen }: Extract<Observation, { kind: "seen" }>, container: Container): void {
    const { warnings } = this.#init;
    const fields = { container: container.name };
    const unknown = unknownLabels(container.labels);
    if (unknown.length > 0) {
      const reason = `the proxy knows ${Object.keys(LABELS).join(", ")}`;
      warnings.warn([this.#id], "unknown labels", { ...fields, labels: unknown, reason });
    }
    if (seen === "routable") warnings.mend(this.#id, UNHEALTHY);
    if (this.#tracked.held !== "unknown") return;
    if (seen === "starting") warnings.warn([this.#id], WAITING, fields, "info");
    if (seen === "not healthy" && container.status !== "paused") {
      const reason = `the health check fails: ${container.probeOutput || "it prints nothing"}`;
      warnings.warn([this.#id], UNHEALTHY, { ...fields, reason });
    }
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
