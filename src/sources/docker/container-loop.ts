/**
 * The loop of one container. An event acts at once, and asks for a look. A look inspects the
 * container, and also the container whose network it shares, and reports the result to the listener.
 * Looks at one container never overlap. Any number of wakes during a look lead to one more look. The
 * loop does not know the state of the container in the fleet.
 */
import type { Container } from "../../engine/container.ts";
import { EngineError } from "../../engine/error.ts";
import type { ContainerEvent } from "../../engine/events.ts";
import { coalesce } from "../../ground/coalesce.ts";
import { Alarms, Pace } from "../../ground/timers.ts";
import type { Rank, RunEnd } from "../../routing/run.ts";
import { isOfTask } from "../labels.ts";
import type { Present, Sighting } from "../sighting.ts";
import { sharedContainerId } from "./address.ts";
import type { ContainerLoopInit } from "./container-loop-init.ts";
import { logLookFailure } from "./look-failure.ts";
import { absent, type History, observe, serverOf } from "./observe.ts";
import { ENDED, endOf, isUnexplained, withoutNetwork } from "./run-ends.ts";
import { warnOfUnknownLabels } from "./unknown-labels.ts";

/** How long we wait after a failed inspect. */
const RETRY_MS = 1_000;
/**
 * How long we wait after a probe before we look again. The engine may not have stored the result
 * before: Podman 4.3 took 20 to 100 ms.
 */
const SECOND_LOOK_MS = 500;
/** What failed and what happens next, in the form that `BugReport` needs. */
const LOOKING = "while it inspected a container; it tries again at the next event or resync";

export class ContainerLoop {
  readonly #id: string;
  readonly #init: ContainerLoopInit;
  readonly #look: () => Promise<void>;
  readonly #pace: Pace;
  /** The rank of the latest wake. */
  #rank: Rank = 0;
  /** How many looks have been asked for so far. */
  #asked = 0;
  /** Grows when an event or a new event stream makes the current inspect outdated. */
  #epoch = 0;
  /** The result of the last inspect. */
  #container: Container | undefined;
  /** The container whose network it shares, from the last look. */
  #peer: Container | undefined;
  #name: string;
  /**
   * The last reported sighting. Undefined if the container was not present, or its run has ended.
   */
  #present: (Sighting & Present) | undefined;
  #inspectFailure: string | undefined;
  #hasLeft = false;
  #wasToldOfTask = false;
  readonly #alarms = new Alarms<"lapse" | "retry" | "second look">(() => void this.#ask());

  constructor(id: string, init: ContainerLoopInit) {
    this.#id = id;
    this.#name = id.slice(0, 12); // until the first inspect shows the name
    this.#init = init;
    this.#pace = new Pace(init.lookPaceMs);
    this.#look = coalesce(() => init.bugs.guard(LOOKING, () => this.#inspectAndTell()));
    init.listener.met(serverOf(id), this.#name);
  }

  /** The id of the container whose network this one shares; undefined if it shares none. */
  get peerId(): string | undefined {
    return this.#container && sharedContainerId(this.#container);
  }

  /** True if the container is on the host's network. */
  get isOnHost(): boolean {
    return this.#container?.networkMode === "host";
  }

  /** True if it belongs to a swarm task, from the last inspect or, before the first one, from events. */
  get isOfTask(): boolean {
    return this.#container === undefined ? this.#wasToldOfTask : isOfTask(this.#container.labels);
  }

  /** True if the last inspect succeeded. */
  get hasSeen(): boolean {
    return this.#inspectFailure === undefined;
  }

  /**
   * Asks for a look.
   *
   * @returns a promise that resolves when a look that began after this call has ended
   */
  wake(rank: Rank): Promise<void> {
    this.#rank = rank;
    return this.#ask();
  }

  /**
   * Makes the current inspect outdated: the loop inspects again before it reports.
   */
  invalidate(): void {
    this.#epoch += 1;
  }

  /**
   * Acts on an event at once. An event from before the last seen run is a replay, and has no effect on
   * that run.
   */
  onEvent(event: ContainerEvent): void {
    if (event.kind === "run over") {
      this.#runOver(event, this.#present?.run.startedAtMs, () => this.#ownEnd());
    }
    if (event.kind === "kill" && this.#isStopping(this.#container)) this.#tellOfStop();
    if (event.kind === "probed") this.#alarms.set("second look", SECOND_LOOK_MS);
    if (isOfTask(event.attributes)) this.#wasToldOfTask = true;
  }

  /**
   * Acts on an event of the container whose network this one shares. When the run of that container
   * ends, this one loses its address and its network.
   */
  onPeerEvent(event: ContainerEvent): void {
    if (event.kind === "run over") {
      this.#runOver(event, this.#peer?.startedAtMs, () => withoutNetwork(this.#peer?.name));
    }
  }

  /** @param startedAtMs start of the run that the event may end; undefined if there is no run */
  #runOver({ timeMs }: ContainerEvent, startedAtMs: number | undefined, end: () => RunEnd): void {
    this.invalidate();
    if (startedAtMs === undefined || timeMs <= startedAtMs) return;
    if (this.#present !== undefined) this.#init.listener.over(this.#present.run, end());
    this.#present = undefined;
  }

  /** How the last seen run has ended, from events. */
  #ownEnd(): RunEnd {
    const container = this.#container;
    if (container === undefined) return ENDED;
    const { runs, lapseMs } = this.#historyOf(container);
    const run = runs.findLast(({ startedMs = 0 }) => startedMs <= container.startedAtMs);
    // The next look shows more.
    if (run === undefined || isUnexplained(run, container, lapseMs)) return ENDED;
    return endOf(run, container, lapseMs);
  }

  #historyOf({ stopTimeoutMs }: Pick<Container, "stopTimeoutMs">): History {
    return {
      runs: this.#init.history.runsOf(this.#id),
      nowMs: this.#init.engineNowMs(),
      lapseMs: this.#init.notices.durationOf({ stopTimeoutMs }),
    };
  }

  #tellOfStop(): void {
    if (this.#present === undefined) return;
    this.#present = { ...this.#present, seen: "stopping" };
    this.#init.listener.saw(this.#present, this.#rank);
  }

  /** Ends this loop, because another source takes over the container. Requests in flight may finish. */
  leave(): void {
    this.#hasLeft = true;
    this.#tellOfStop();
    this.#end();
  }

  #ask(): Promise<void> {
    this.#asked += 1;
    return this.#look();
  }

  async #inspectAndTell(): Promise<void> {
    const asked = this.#asked; // each later call of `#ask` leads to another look after this one
    let [epoch, rank] = [this.#epoch, this.#rank];
    let container: Container | undefined;
    let peer: Container | undefined;
    do {
      await this.#pace.turn();
      await this.#init.settled();
      if (this.#hasLeft) return;
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
    if (this.#hasLeft) return;
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

  /** Reports the result of the last inspect to the listener. */
  #tell(rank: Rank): void {
    const container = this.#container;
    if (container !== undefined) this.#init.history.saw(container);
    const sighting = container === undefined ? this.#absent() : this.#observe(container);
    this.#name = sighting.name;
    this.#present = sighting.kind === "present" ? sighting : undefined;
    if (container !== undefined) warnOfUnknownLabels(container, this.#init.warnings);
    this.#init.listener.saw(sighting, rank);
  }

  #observe(container: Container): Sighting {
    return observe(container, {
      ...this.#init.around(),
      peer: this.#peer,
      isStopping: (of) => this.#isStopping(of),
      history: this.#historyOf(container),
    });
  }

  #absent(): Sighting {
    const last = this.#init.history.lastSeenOf(this.#id);
    return absent(this.#id, this.#name, last, last && this.#historyOf(last));
  }

  /** True if the run has a stop notice. Sets an alarm to look again when the notice lapses. */
  #isStopping(container: Container | undefined): boolean {
    if (container === undefined) return false;
    const nowMs = this.#init.engineNowMs();
    const lapseMs = this.#init.notices.lapseOf(container, nowMs);
    if (lapseMs === undefined) return false;
    this.#alarms.set("lapse", lapseMs - nowMs + 1);
    return true;
  }

  /**
   * Ends this loop, unless an event has asked for a look in the meantime: a second loop must not run
   * beside this one. It first waits until another look may begin. Without this wait, each event of a
   * burst would start a new loop, and the first look of a loop has no delay.
   */
  async #forget(asked: number): Promise<void> {
    await this.#pace.due();
    if (this.#asked === asked) this.#end();
  }

  #end(): void {
    this.#alarms.clear();
    this.#init.warnings.forget(this.#id);
    this.#init.listener.gone(serverOf(this.#id));
    this.#init.onGone();
  }

  #tellOfFailure(error: EngineError): void {
    const { message: reason } = error;
    if (this.#inspectFailure === reason) return;
    this.#inspectFailure = reason;
    this.#init.listener.couldNotSee(serverOf(this.#id), reason);
    logLookFailure(this.#init.log, this.#name, error);
  }
}
