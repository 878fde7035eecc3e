/**
 * The loop of one container: an event acts at once and asks for a look; a look reads what the engine shows
 * and tells it. Looks at one container never overlap, and any number of wakes during one make one more. What
 * is held of the container is not known here.
 */
import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { Alarms, Pace } from "../../ground/timers.ts";
import type { Rank } from "../../routing/run.ts";
import type { BugReport } from "../../telemetry/bug-report.ts";
import type { Log } from "../../telemetry/log.ts";
import type { WarnOnce } from "../../telemetry/warn-once.ts";
import type { Present, Sighting, SightingListener } from "../sighting.ts";
import { sharedContainerId } from "./address.ts";
import { absent, observe, type Surroundings, serverOf } from "./observe.ts";
import type { StopNotices } from "./stop-notices.ts";
import { warnOfUnknownLabels } from "./unknown-labels.ts";

export type ContainerLoopInit = {
  readonly listener: SightingListener;
  readonly notices: StopNotices;
  readonly warnings: WarnOnce;
  readonly log: Log;
  readonly bugs: BugReport;
  /** @throws {EngineError} if it can't tell: then nothing was seen */
  readonly inspect: (id: string) => Promise<Container | undefined>;
  /** The engine's time, by which its events and starts are timed, ms since the epoch. */
  readonly engineNowMs: () => number;
  readonly around: () => Pick<Surroundings, "place" | "itself">;
  /** Resolves when the event stream has been open for long enough to look at somebody. */
  readonly settled: () => Promise<void>;
  /** From one look to the next at the least, ms. */
  readonly lookPaceMs: number;
  /** There is no such container any more, and no look is to come. */
  readonly onGone: () => void;
};

/** After an inspect that failed. */
const RETRY_MS = 1_000;
/** After a probe whose outcome the engine had yet to write down: Podman 4.3 took 20 to 100 ms. */
const SECOND_LOOK_MS = 500;
/** See `BugReport`. */
const LOOKING = "while it looked at a container; it looks again at the next event or resync";
/** Said of a run that an event has ended, until the engine has been asked what came of it. */
const ENDED = "its process has ended";

export class ContainerLoop {
  readonly #id: string;
  readonly #init: ContainerLoopInit;
  readonly #look: () => Promise<void>;
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
  /** What was told last, if it was there then and its run is not over. */
  #present: (Sighting & Present) | undefined;
  #inspectFailure: string | undefined;
  readonly #alarms = new Alarms<"lapse" | "retry" | "second look">(() => void this.#ask());

  constructor(id: string, init: ContainerLoopInit) {
    this.#id = id;
    this.#name = id.slice(0, 12); // until the engine tells
    this.#init = init;
    this.#pace = new Pace(init.lookPaceMs);
    this.#look = coalesce(() => init.bugs.guard(LOOKING, () => this.#inspectAndTell()));
    init.listener.met(serverOf(id), this.#name);
  }

  /** The container whose network this one shares, if it does. */
  get peerId(): string | undefined {
    return this.#container && sharedContainerId(this.#container);
  }

  /** Whether it is on the host's network. */
  get isOnHost(): boolean {
    return this.#container?.networkMode === "host";
  }

  /** Whether the last look saw anything. */
  get hasSeen(): boolean {
    return this.#inspectFailure === undefined;
  }

  /** @returns when a look that began after this call has ended */
  wake(rank: Rank): Promise<void> {
    this.#rank = rank;
    return this.#ask();
  }

  /** What a look under way has read may be older than what is known now: it is made again. */
  invalidate(): void {
    this.#epoch += 1;
  }

  /** Acts at once, and only if the event is of the run that was seen last: an older one is a replay. */
  onEvent(event: ContainerEvent): void {
    if (event.kind === "run over") this.#runOver(event, this.#present?.run.startedAtMs);
    if (event.kind === "kill" && this.#isStopping(this.#container)) this.#tellOfStop();
    if (event.kind === "probed") this.#alarms.set("second look", SECOND_LOOK_MS);
  }

  /** With the other's run its address goes, and the network with it. */
  onPeerEvent(event: ContainerEvent): void {
    if (event.kind === "run over") this.#runOver(event, this.#peer?.startedAtMs);
  }

  /** @param startedAtMs of the run that the event may end; undefined: there is none */
  #runOver({ timeMs }: ContainerEvent, startedAtMs: number | undefined): void {
    this.invalidate();
    if (startedAtMs === undefined || timeMs <= startedAtMs) return;
    if (this.#present !== undefined) this.#init.listener.over(this.#present.run, ENDED);
    this.#present = undefined;
  }

  #tellOfStop(): void {
    if (this.#present === undefined) return;
    this.#present = { ...this.#present, seen: "stopping" };
    this.#init.listener.saw(this.#present, this.#rank);
  }

  #ask(): Promise<void> {
    this.#asked += 1;
    return this.#look();
  }

  async #inspectAndTell(): Promise<void> {
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
        this.#tellOfFailure(error);
        this.#alarms.set("retry", RETRY_MS);
        return;
      }
    } while (this.#epoch !== epoch);
    this.#inspectFailure = undefined;
    this.#container = container;
    this.#peer = peer;
    this.#tell(rank);
    if (container === undefined) await this.#forget(asked);
  }

  async #inspectPeer(container: Container | undefined): Promise<Container | undefined> {
    const peerId = container && sharedContainerId(container);
    return peerId === undefined ? undefined : this.#init.inspect(peerId);
  }

  /** Tells what the engine showed. */
  #tell(rank: Rank): void {
    const container = this.#container;
    const sighting =
      container === undefined
        ? absent(this.#id, this.#name)
        : observe(container, {
            ...this.#init.around(),
            peer: this.#peer,
            isStopping: (of) => this.#isStopping(of),
          });
    this.#name = sighting.name;
    this.#present = sighting.kind === "present" ? sighting : undefined;
    this.#init.listener.saw(sighting, rank);
    if (container !== undefined) warnOfUnknownLabels(container, this.#init.warnings);
  }

  /** Judges the notices against its run, and sees to it that it is judged again when they lapse. */
  #isStopping(container: Container | undefined): boolean {
    if (container === undefined) return false;
    const nowMs = this.#init.engineNowMs();
    const lapseMs = this.#init.notices.lapseOf(container, nowMs);
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
    this.#init.listener.gone(serverOf(this.#id));
    this.#init.onGone();
  }

  #tellOfFailure({ kind, message: reason }: EngineError): void {
    if (this.#inspectFailure === reason) return;
    this.#inspectFailure = reason;
    this.#init.listener.couldNotSee(serverOf(this.#id), reason);
    // That the engine is away, or forbids it, is said once, and not by each container.
    const message = "cannot inspect a container; keeping what is known of it";
    this.#init.log[kind === "refused" ? "warn" : "debug"](message, {
      container: this.#name,
      reason,
    });
  }
}
