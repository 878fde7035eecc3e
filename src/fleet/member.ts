/**
 * One server of the fleet. A member brings the state of its server, and what operators see of it, in
 * line with the sightings of the source. It decides nothing itself: plan.ts decides what to do and
 * holding.ts does it; condition.ts and report.ts put it into words.
 */
import type { Backend } from "../routing/backend.ts";
import type { Ending } from "../routing/ending.ts";
import { type ModelNames, sameNames } from "../routing/names.ts";
import type { Trouble } from "../routing/routes.ts";
import { isSameRun, type Rank, type Run, type RunEnd, type Server } from "../routing/run.ts";
import type { Outlook, Sighting } from "../sources/sighting.ts";
import type { ContainerStatus, Recent } from "../status.ts";
import { Holding, type HoldingInit } from "./holding.ts";
import { endIn, lastEndIn } from "./plan.ts";
import { Report, type Subject } from "./report.ts";
import type { ServedModels } from "./served-models.ts";

export type MemberInit = Omit<HoldingInit, "onProgress"> & {
  readonly served: ServedModels;
  /** See `FleetInit`. */
  readonly recentOfContainer?: (server: Server) => Recent | null;
};

export class Member {
  readonly #server: Server;
  readonly #init: MemberInit;
  readonly #holding: Holding;
  readonly #report: Report;
  /** How its last run ended, if we know. */
  #lastEnd: RunEnd | undefined;
  /** The `Ending` of its last run. The next inspection may tell more about the end than the event did. */
  #lastEnding: Ending | undefined;
  #name: string;
  /** The models that its label names. The array changes only with the models. */
  #named: readonly ModelNames[] | undefined;
  /** The last sighting from its source. */
  #sighting: Sighting | undefined;
  /** The run that an operator has drained: see `drain`. */
  #drained: Run | undefined;

  constructor(server: Server, name: string, init: MemberInit) {
    this.#server = server;
    this.#name = name;
    this.#init = init;
    this.#holding = new Holding(name, { ...init, onProgress: () => this.#tell() });
    this.#report = new Report(init.log, Date.now(), init.changes);
  }

  /** See `Holding.firstRead`. */
  get firstRead(): Promise<void> {
    return this.#holding.firstRead;
  }

  get name(): string {
    return this.#name;
  }

  get id(): string {
    return this.#server.id;
  }

  /** The current run. Undefined if the server does not run, or if the proxy cannot route it as it is set up. */
  get run(): Run | undefined {
    return this.#holding.place?.run;
  }

  /** True if one of its backends takes new requests. */
  get takesRequests(): boolean {
    return this.#holding.active !== undefined;
  }

  /** Requests in flight on all its backends. */
  get inFlight(): number {
    return this.#holding.inFlight;
  }

  /** True if an operator has drained the current run. The next run is not drained. */
  get isDrained(): boolean {
    return this.#isOut(this.run);
  }

  /**
   * Returns the entry of the server in `GET /status`.
   *
   * @param notes see `sharingNotes`
   * @param modelsMax the most models to list
   */
  status(notes: ReadonlyMap<Backend, string>, modelsMax?: number): ContainerStatus {
    const { active } = this.#holding;
    const note = active && notes.get(active);
    const shown = { note, ...(modelsMax !== undefined && { modelsMax }) };
    const recent = this.#init.recentOfContainer?.(this.#server) ?? null;
    return { ...this.#report.status(this.#subject, shown), recent };
  }

  /** See `Holding.rereadModels`. */
  rereadModels(): Promise<void> {
    return this.#holding.rereadModels();
  }

  saw(sighting: Sighting, rank: Rank): void {
    this.#sighting = sighting;
    this.#name = sighting.name;
    if (sighting.kind === "present") this.#nameModels(sighting.settings.models);
    const end = endIn(sighting, this.#holding.place);
    if (end !== undefined) this.#runOver(end);
    const known = lastEndIn(sighting);
    if (known !== undefined) this.#lastEnding?.ended(known);
    this.#lastEnd = known ?? end ?? this.#lastEnd;
    this.#holding.saw(sighting, rank, sighting.kind === "present" && this.#isOut(sighting.run));
    this.#tell();
  }

  /** Drains the current run until the run ends or `undrain` is called. Does nothing without a run. */
  drain(rank: Rank): void {
    const { run } = this;
    if (run === undefined || this.isDrained) return;
    const drained = { ...run }; // a new object for each drain: the same run may be undrained and drained again
    this.#drained = drained;
    this.#judge(rank);
    void this.#holding.idle.then(() => {
      if (this.#drained !== drained || !this.isDrained || this.#isStopping) return;
      this.#init.log.info("drain finished", { container: this.#name });
    });
  }

  /** Undoes `drain`, and applies the last sighting again. */
  undrain(rank: Rank): void {
    if (!this.isDrained) return;
    this.#drained = undefined;
    this.#holding.undrained();
    this.#init.log.info("container undrained", { container: this.#name });
    this.#judge(rank);
  }

  /** A run has ended. Ignores any other run than the current one. The next sighting shows what follows. */
  over({ startedAtMs }: Run, end: RunEnd): void {
    if (this.#holding.place?.run.startedAtMs !== startedAtMs) return;
    this.#runOver(end);
    // If the kind is unknown, the next inspection tells more, or it shows that the container has only lost its network.
    if (end.kind !== "unknown") this.#lastEnd = end;
    this.#report.note({ state: "stopped", reason: end.reason }, Date.now());
  }

  #runOver(end: RunEnd): void {
    const { tookRequests, ending } = this.#holding.over(end);
    this.#lastEnding = ending;
    if (tookRequests) this.#report.tookRequests(end);
  }

  /** Its source does not follow it any more. Draining backends leave as soon as they are idle. */
  gone(): void {
    this.#holding.gone();
  }

  couldNotSee(reason: string): void {
    this.#report.cannotTell(reason);
  }

  get #isStopping(): boolean {
    return this.#sighting?.kind === "present" && this.#sighting.seen === "stopping";
  }

  #judge(rank: Rank): void {
    if (this.#sighting !== undefined) this.saw(this.#sighting, rank);
  }

  #isOut(run: Run | undefined): boolean {
    return run !== undefined && this.#drained !== undefined && isSameRun(run, this.#drained);
  }

  /** Passes the current state of the server to the report and to `ServedModels`. */
  #tell(): void {
    const sighting = this.#sighting;
    if (sighting === undefined) return;
    this.#report.tell(this.#subject, sighting, Date.now());
    const isActive = this.#holding.active !== undefined;
    const trouble = troubleOf(sighting, this.isDrained) ?? this.#lost;
    this.#init.served.tell({
      server: this.#server,
      slots: sighting.slots,
      outlook: outlookOf(sighting),
      isRoutable: isRoutable(sighting),
      isActive,
      named: this.#named,
      trouble,
      lost: sighting.kind === "absent" ? sighting.end?.brief : undefined,
      says: saysOf(sighting, isActive || trouble !== undefined),
      served: this.#holding.served,
    });
  }

  get #lost(): Trouble | undefined {
    const { held, lost } = this.#holding;
    return held === "probing" && lost !== undefined ? "unreachable" : undefined;
  }

  #nameModels(ids: readonly string[] | undefined): void {
    const named = ids?.map((id) => ({ id }));
    if (named === undefined || !sameNames(named, this.#named ?? [])) this.#named = named;
  }

  get #subject(): Subject {
    const { id, name, isDrained } = this;
    return { id, name, holding: this.#holding, isDrained, lastEnd: this.#lastEnd };
  }
}

/** Also true for a server that its source is about to start. */
function isRoutable(sighting: Sighting): boolean {
  if (sighting.kind === "absent" && sighting.outlook === "starts again") return true;
  return (
    sighting.kind === "present" || (sighting.kind === "absent" && sighting.state === "restarting")
  );
}

function troubleOf(sighting: Sighting, isDrained: boolean): Trouble | undefined {
  if (sighting.kind === "ignored") return "misconfigured";
  if (sighting.kind !== "present") return undefined;
  if (sighting.seen === "stopping") return "stopping";
  return isDrained ? "drained" : sighting.trouble?.state;
}

function outlookOf(sighting: Sighting): "runs" | Outlook {
  if (sighting.kind === "absent") {
    // A server that its label opts out may still run.
    return sighting.comesBack && sighting.state === "disabled" ? "runs" : sighting.outlook;
  }
  return sighting.kind === "present" && sighting.isCrashLoop === true ? "crash loop" : "runs";
}

/**
 * Says in words for clients what happened to a server that is starting again after it ended by itself.
 *
 * @param isSaid it takes requests, or we know what keeps it from that
 */
function saysOf(sighting: Sighting, isSaid: boolean): string | undefined {
  if (isSaid || sighting.kind === "ignored") return undefined;
  const isLoop = outlookOf(sighting) === "crash loop";
  const end = lastEndIn(sighting);
  if (end === undefined || end.kind === "stopped" || end.kind === "unknown") {
    return isLoop ? "ends again and again before it is healthy" : undefined;
  }
  return isLoop ? `${end.brief} again and again` : `${end.brief} and is starting again`;
}
