/**
 * One server of the fleet. A member brings what is held of its server, and what people are told of
 * it, in line with what the source shows. It decides nothing itself: plan.ts decides what to do and
 * holding.ts does it; condition.ts and report.ts put it into words.
 */
import type { Backend } from "../routing/backend.ts";
import { type ModelNames, sameNames } from "../routing/names.ts";
import type { Trouble } from "../routing/routes.ts";
import type { Rank, Run, RunEnd, Server } from "../routing/run.ts";
import type { Outlook, Sighting } from "../sources/sighting.ts";
import type { ContainerStatus } from "../status.ts";
import { Holding, type HoldingInit } from "./holding.ts";
import { endIn } from "./plan.ts";
import { Report, type Subject } from "./report.ts";
import type { ServedModels } from "./served-models.ts";

export type MemberInit = Omit<HoldingInit, "onProgress"> & { readonly served: ServedModels };

export class Member {
  readonly #server: Server;
  readonly #init: MemberInit;
  readonly #holding: Holding;
  readonly #report: Report;
  #name: string;
  /** The models that its label names. The same array for as long as they are the same. */
  #named: readonly ModelNames[] | undefined;
  /** The last sighting that its source told. */
  #sighting: Sighting | undefined;

  constructor(server: Server, name: string, init: MemberInit) {
    this.#server = server;
    this.#name = name;
    this.#init = init;
    this.#holding = new Holding(name, { ...init, onProgress: () => this.#tell() });
    this.#report = new Report(init.log, Date.now());
  }

  /** See `Holding.firstRead`. */
  get firstRead(): Promise<void> {
    return this.#holding.firstRead;
  }

  /**
   * Returns what `GET /status` shows of it now.
   *
   * @param notes see `sharingNotes`
   */
  status(notes: ReadonlyMap<Backend, string>): ContainerStatus {
    const { active } = this.#holding;
    return this.#report.status(this.#subject, active && notes.get(active));
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
    this.#holding.saw(sighting, rank);
    this.#tell();
  }

  /** Acts only if the run that has ended is held. The next sighting tells what came of it. */
  over({ startedAtMs }: Run, end: RunEnd): void {
    if (this.#holding.place?.run.startedAtMs !== startedAtMs) return;
    this.#runOver(end);
    this.#report.note({ state: "stopped", reason: end.reason }, Date.now());
  }

  #runOver(end: RunEnd): void {
    this.#report.ended(end, this.#holding.inFlight);
    this.#holding.over(end);
  }

  couldNotSee(reason: string): void {
    this.#report.cannotTell(reason);
  }

  /** Tells the report and `ServedModels` what is seen and held of the server now. */
  #tell(): void {
    const sighting = this.#sighting;
    if (sighting === undefined) return;
    this.#report.tell(this.#subject, sighting, Date.now());
    this.#init.served.tell({
      server: this.#server,
      slots: sighting.slots,
      outlook: outlookOf(sighting),
      isRoutable: isRoutable(sighting),
      isActive: this.#holding.active !== undefined,
      named: this.#named,
      trouble: troubleOf(sighting),
      says: saysOf(sighting, this.#holding.active !== undefined),
      served: this.#holding.served,
    });
  }

  #nameModels(ids: readonly string[] | undefined): void {
    const named = ids?.map((id) => ({ id }));
    if (named === undefined || !sameNames(named, this.#named ?? [])) this.#named = named;
  }

  get #subject(): Subject {
    return { id: this.#server.id, name: this.#name, holding: this.#holding };
  }
}

/** Also true of a server that its source is about to start again. */
function isRoutable(sighting: Sighting): boolean {
  return (
    sighting.kind === "present" || (sighting.kind === "absent" && sighting.state === "restarting")
  );
}

function troubleOf(sighting: Sighting): Trouble | undefined {
  if (sighting.kind === "ignored") return "misconfigured";
  if (sighting.kind !== "present") return undefined;
  return sighting.seen === "stopping" ? "stopping" : sighting.trouble?.state;
}

function outlookOf(sighting: Sighting): "runs" | Outlook {
  if (sighting.kind === "absent") {
    // A server that its label opts out may run all the same.
    return sighting.comesBack && sighting.state === "disabled" ? "runs" : sighting.outlook;
  }
  return sighting.kind === "present" && sighting.isCrashLoop === true ? "crash loop" : "runs";
}

/** Says what has become of a server that is starting again after it had ended by itself. */
function saysOf(sighting: Sighting, isActive: boolean): string | undefined {
  if (isActive || sighting.kind === "ignored") return undefined;
  if (sighting.kind === "present" && sighting.trouble !== undefined) return undefined;
  const isLoop = outlookOf(sighting) === "crash loop";
  const end = sighting.kind === "present" ? sighting.lastEnd : sighting.end;
  if (end === undefined || end.kind === "stopped" || end.kind === "unknown") {
    return isLoop ? "ends again and again before it is healthy" : undefined;
  }
  return isLoop ? `${end.brief} again and again` : `${end.brief} and is starting again`;
}
