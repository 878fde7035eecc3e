/**
 * The loop of one container: an event acts at once on what is held of it and asks for a look; a
 * look reads what the engine shows and brings what is held to it. Looks at one container never
 * overlap, and any number of wakes during one make one more.
 */

import { type Container, isAlive } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { ENDED } from "../../fleet/condition.ts";
import { TrackedContainer, type TrackedInit } from "../../fleet/member.ts";
import { type ContainerStatus, StatusReport, type Subject } from "../../fleet/report.ts";
import type { ServedModels } from "../../fleet/served-models.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { Alarms, Pace } from "../../ground/timers.ts";
import type { Rank } from "../../routing/run.ts";
import type { BugReport } from "../../telemetry/bug-report.ts";
import type { WarnOnce } from "../../telemetry/warn-once.ts";
import { sharedContainerId } from "./address.ts";
import {
  isCutOff,
  type Observation,
  observe,
  type Run,
  SOURCE,
  type Surroundings,
} from "./observe.ts";
import type { StopNotices } from "./stop-notices.ts";
import { warnOfUnknownLabels } from "./unknown-labels.ts";

export type ContainerLoopInit = Omit<TrackedInit, "onProgress"> & {
  readonly notices: StopNotices;
  readonly warnings: WarnOnce;
  readonly served: ServedModels;
  /** @throws if it can't tell: that is no observation */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The engine's time, by which its events and starts are timed, ms since the epoch. */
  readonly engineNowMs: () => number;
  readonly bugs: BugReport;
  readonly around: () => Pick<Surroundings, "place" | "itself">;
  /** From one look to the next at the least, ms. */
  readonly lookPaceMs?: number;
  /** There is no such container any more, and no look is to come. */
  readonly onGone: () => void;
};

/** A burst of events is one look at its beginning, and twenty a second while it lasts. */
export const LOOK_PACE_MS = 50;
/** After an inspect that failed. */
const RETRY_MS = 1_000;
/** After a probe whose outcome the engine had yet to write down: Podman 4.3 took 20 to 100 ms. */
const SECOND_LOOK_MS = 500;
/** See `BugReport`. */
const LOOKING = "while it looked at a container; it looks again at the next event or resync";

export class ContainerLoop {
  readonly #id: string;
  readonly #init: ContainerLoopInit;
  readonly #tracked: TrackedContainer;
  readonly #look: () => Promise<void>;
  readonly #report: StatusReport;
  readonly #pace: Pace;
  /** Of the latest wake. */
  #rank: Rank = 0;
  /** How many looks have been asked for. */
  #asked = 0;
  /** Grows when a look under way has become too old to be trusted. */
  #epoch = 0;
  /** As the engine showed it last. */
  #container: Container | undefined;
  /** The container whose network it shares, as the engine showed that last. */
  #peer: Container | undefined;
  #name: string;
  #observation: Observation | undefined;
  #inspectFailure: string | undefined;
  readonly #alarms = new Alarms<"lapse" | "retry" | "second look">(() => void this.#ask());

  constructor(id: string, init: ContainerLoopInit) {
    this.#id = id;
    this.#name = id.slice(0, 12); // until the engine tells
    this.#init = init;
    this.#tracked = new TrackedContainer({ ...init, onProgress: () => this.#tell() });
    this.#report = new StatusReport(init.log, Date.now());
    this.#pace = new Pace(init.lookPaceMs ?? LOOK_PACE_MS);
    this.#look = coalesce(() => init.bugs.guard(LOOKING, () => this.#inspectAndApply()));
  }

  /** Resolves when the first read of its models has ended, well or not. */
  get firstRead(): Promise<void> {
    return this.#tracked.firstRead;
  }

  /** What is known of it now. */
  get status(): ContainerStatus {
    return this.#report.status(this.#subject);
  }

  /** The container whose network this one shares, if it does. */
  get peerId(): string | undefined {
    return this.#container && sharedContainerId(this.#container);
  }

  /** Whether it is on the host's network. */
  get isOnHost(): boolean {
    return this.#container?.networkMode === "host";
  }

  /** Whether the last look saw anything: an inspect that failed is no observation. */
  get hasSeen(): boolean {
    return this.#inspectFailure === undefined;
  }

  /** @returns when a look that began after this call has ended */
  wake(rank: Rank): Promise<void> {
    this.#rank = rank;
    return this.#ask();
  }

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
    if (event.kind === "run over") this.#runOver(event, run?.startedAtMs);
    if (event.kind === "kill" && run !== undefined && this.#isStopping(run)) {
      this.#tracked.see("stopping", run, this.#rank);
      if (this.#observation?.kind === "seen") {
        this.#observation = { ...this.#observation, seen: "stopping" };
        this.#tell();
      }
    }
    if (event.kind === "probed") this.#alarms.set("second look", SECOND_LOOK_MS);
  }

  /** With the other's run its address goes, and the network with it. */
  onPeerEvent(event: ContainerEvent): void {
    if (event.kind === "run over") this.#runOver(event, this.#peer?.startedAtMs);
  }

  /** @param startedAtMs of the run that is held; undefined: none is */
  #runOver({ timeMs }: ContainerEvent, startedAtMs: number | undefined): void {
    this.invalidate();
    if (startedAtMs === undefined || timeMs <= startedAtMs) return;
    this.#tracked.gone();
    this.#report.note(ENDED, Date.now()); // the look that follows knows what came of it
  }

  #ask(): Promise<void> {
    this.#asked += 1;
    return this.#look();
  }

  async #inspectAndApply(): Promise<void> {
    const asked = this.#asked; // whoever asks from here on gets a look of their own after this one
    let [epoch, rank] = [this.#epoch, this.#rank];
    let container: Container | undefined;
    let peer: Container | undefined;
    do {
      await this.#pace.turn();
      await this.#init.settled();
      [epoch, rank] = [this.#epoch, this.#rank];
      try {
        container = await this.#init.inspect(this.#id);
        peer = await this.#inspectPeer(container);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        this.#reportFailure(error);
        this.#alarms.set("retry", RETRY_MS);
        return; // no observation: keep what is held
      }
    } while (this.#epoch !== epoch);
    this.#inspectFailure = undefined;
    this.#apply(container, peer, rank);
    if (container === undefined) await this.#forget(asked);
  }

  async #inspectPeer(container: Container | undefined): Promise<Container | undefined> {
    const peerId = container && sharedContainerId(container);
    return peerId === undefined ? undefined : this.#init.inspect(peerId);
  }

  #apply(container: Container | undefined, peer: Container | undefined, rank: Rank): void {
    const observation = observe(container, {
      ...this.#init.around(),
      peer,
      isStopping: (run) => this.#isStopping(run),
    });
    this.#container = container;
    this.#peer = peer;
    this.#name = container?.name ?? this.#name;
    this.#observation = observation;
    // What was routed and is to be ignored has lost its last network: labels can't change in a run.
    if (observation.kind !== "seen") this.#tracked.gone();
    else {
      if (isCutOff(this.#tracked, observation)) this.#tracked.gone();
      this.#tracked.see(observation.seen, observation.run, rank);
    }
    if (container !== undefined) warnOfUnknownLabels(container, this.#init.warnings);
    this.#tell();
  }

  /** Brings what is told of the container to what is known of it. */
  #tell(): void {
    if (this.#observation === undefined) return;
    this.#report.tell(this.#subject, this.#observation, Date.now());
    this.#init.served.tell({
      server: { source: SOURCE, id: this.#id },
      name: this.#name,
      isAlive: this.#container !== undefined && isAlive(this.#container),
      served: this.#tracked.served,
    });
  }

  get #subject(): Subject {
    return { id: this.#id, name: this.#name, tracked: this.#tracked };
  }

  /** Judges the notices against the run, and sees to it that it is judged again when they lapse. */
  #isStopping(run: Run): boolean {
    const nowMs = this.#init.engineNowMs();
    const lapseMs = this.#init.notices.lapseOf(run, nowMs);
    if (lapseMs === undefined) return false;
    this.#alarms.set("lapse", lapseMs - nowMs + 1);
    return true;
  }

  /**
   * Not if a look was asked for since: no second loop may start beside it. It waits its turn, or each
   * event of a burst would have a loop of its own, whose first look comes at once.
   */
  async #forget(asked: number): Promise<void> {
    await this.#pace.due();
    if (this.#asked !== asked) return;
    this.#alarms.clear();
    this.#init.warnings.forget(this.#id);
    this.#init.onGone();
  }

  #reportFailure({ kind, message: reason }: EngineError): void {
    if (this.#inspectFailure === reason) return;
    this.#inspectFailure = reason;
    this.#report.cannotTell(reason);
    // That the engine is away, or forbids it, is said once, and not by each container.
    const message = "cannot inspect a container; keeping what is known of it";
    this.#init.log[kind === "refused" ? "warn" : "debug"](message, {
      container: this.#name,
      reason,
    });
  }
}
