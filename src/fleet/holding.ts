/**
 * What is held of one server: the run that was seen last, at most one probing or active backend,
 * and any number of draining ones. It changes only by carrying out the steps that plan.ts decides.
 * It does all at once but the reading of models: that runs beside it, and its result comes back as
 * one more thing seen.
 */
import { Backend, type Model, type Unreachable } from "../routing/backend.ts";
import { Ending } from "../routing/ending.ts";
import { Load } from "../routing/load.ts";
import { type ModelNames, namesOf, sameNames } from "../routing/names.ts";
import type { Overlap } from "../routing/overlap.ts";
import type { Rank, RunEnd } from "../routing/run.ts";
import type { Sighting, Source } from "../sources/sighting.ts";
import type { Changes } from "../telemetry/changes.ts";
import { DrainingBackends, type DrainingInit } from "./draining.ts";
import { FoundModels, type FoundModelsInit } from "./found-models.ts";
import { modelChanges, tellOfModels } from "./model-changes.ts";
import { unreachableReason } from "./models-failure.ts";
import {
  type Held,
  type Place,
  placeOf,
  plan,
  type Seen,
  type Step,
  seenIfUnreachable,
  seenIn,
} from "./plan.ts";
import { HOW_UNREACHABLE } from "./reach.ts";

export type HoldingInit = DrainingInit &
  Pick<FoundModelsInit, "readModels" | "connect" | "rereadMs"> & {
    readonly source: Pick<Source, "isFollowing" | "settled">;
    readonly changes?: Changes;
    readonly onOverlap: (overlaps: readonly Overlap[]) => void;
    /** Called when we have seen what no source tells: models, a failed read, a refused connection. */
    readonly onProgress: () => void;
  };

export class Holding {
  readonly #init: HoldingInit;
  /** What people call the server. */
  #name: string;
  #place: Place | undefined;
  /** The rank of the sighting that started the reading of models. Its backend gets this rank. */
  #rank: Rank = 0;
  /** The models that the server served last, in this run or an earlier one. */
  #served: readonly ModelNames[] = [];
  /** How busy this run is: all its backends count in one load. */
  #load = new Load();
  /** What is known of the end of this run, and whether it has had a stop notice. */
  #ending = new Ending();
  #active: Backend | undefined;
  /** Reads its models. Reads while the server is probing or active. */
  readonly #found: FoundModels;
  readonly #draining: DrainingBackends;

  /** @param name what people call the server, until the first sighting tells its name */
  constructor(name: string, init: HoldingInit) {
    this.#name = name;
    this.#init = init;
    this.#draining = new DrainingBackends(init);
    this.#found = new FoundModels({
      ...init,
      name: () => this.#name,
      onSeen: (seen) => this.#see(seen),
    });
  }

  /** The run that is held and the way to it; undefined if no run is held. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** These three: see `FoundModels`. */
  get failure(): string | undefined {
    return this.#found.failure;
  }

  get lost(): string | undefined {
    return this.#found.lost;
  }

  get leftOut(): string | undefined {
    return this.#found.leftOut;
  }

  /** The models that the server served last, in this run or an earlier one. The same array until it serves others. */
  get served(): readonly ModelNames[] {
    return this.#served;
  }

  /** The backend that takes the server's new requests. */
  get active(): Backend | undefined {
    return this.#active;
  }

  /** Requests in flight on all backends of the server. */
  get inFlight(): number {
    return (this.#active?.inFlight ?? 0) + this.#draining.inFlight;
  }

  /** Resolves when the last request of all its draining backends has ended. */
  get idle(): Promise<unknown> {
    return this.#draining.idle;
  }

  get held(): Held {
    if (this.#active !== undefined) return "active";
    if (this.#found.isReading) return "probing";
    if (!this.#draining.hasSomeAt(this.#place)) return "unknown";
    const mustBeRead = this.#ending.wasToldToStop || this.lost !== undefined;
    return mustBeRead ? "draining after notice" : "draining";
  }

  /** Resolves when the first read of its models has ended, well or not; at once without a reading. */
  get firstRead(): Promise<void> {
    return this.#found.firstRead;
  }

  /** Reads the models of an active backend again. Resolves when a read that began after this call has ended. */
  rereadModels(): Promise<void> {
    return this.#active === undefined ? Promise.resolve() : this.#found.readNow();
  }

  /** @param rank the rank of the wake that led to this sighting */
  saw(sighting: Sighting, rank: Rank, isDrained = false): void {
    this.#name = sighting.name;
    const place = placeOf(sighting);
    for (const seen of seenIn(sighting, this.#place, this.held, isDrained)) {
      this.#carryOut(plan(this.held, seen), { place, rank });
    }
  }

  /** The run that is held was taken out by hand, and is taken back. A sighting of it comes next. */
  readonly undrained = (): void => this.#see("undrained");

  /** The run that is held is over. Says whether it took requests with it. */
  over(end: RunEnd): { readonly tookRequests: boolean; readonly ending: Ending } {
    const ending = this.#ending;
    const tookRequests = this.inFlight > 0 || ending.hasJustBrokenOff;
    ending.ended(end);
    this.#see("absent");
    return { tookRequests, ending };
  }

  /** Nothing more will be seen of it. It has been seen as absent, or as stopping. */
  gone(): void {
    this.#found.stop();
    this.#draining.removeWhenIdle();
  }

  /** Acts on something seen of the run that is held. */
  #see(seen: Seen): void {
    this.#carryOut(plan(this.held, seen), { place: this.#place, rank: this.#rank });
  }

  /**
   * Carries out a step. It stops the reading first and starts it last: a reading belongs to the run
   * that is held, and the step may change that run in between.
   */
  #carryOut(step: Step, { place, rank }: { readonly place: Place | undefined; rank: Rank }): void {
    if (step.reading !== "keep") this.#found.stop();
    if (step.reading === "start") this.#rank = rank;
    this.#backendSteps[step.backends]();
    if (step.run !== "keep") this.#changeRun(step.run, place);
    if (step.backends === "set anew") this.#admit();
    if (step.deadline === "set") this.#ending.toldToStop();
    this.#draining.deadlineSteps[step.deadline]();
    if (this.#place === undefined) return;
    if (step.reading === "start") this.#found.start(this.#place);
    if (step.reading === "seek") this.#found.seek(this.#place);
  }

  #changeRun(how: Step["run"], place: Place | undefined): void {
    this.#place = how === "forget" ? undefined : place;
    if (how === "move") this.#load.limit(place?.maxInFlight);
    else this.#begin();
  }

  readonly #backendSteps: Readonly<Record<Step["backends"], () => void>> = {
    keep: () => undefined,
    admit: () => this.#admit(),
    "replace models": () => this.#replaceModels(),
    "set anew": () => this.#drain(), // and the next one is admitted once the run has its settings
    drain: () => this.#drain(),
    remove: () => this.#remove(),
  };

  /** Forgets what we knew of the run that was held before. */
  #begin(): void {
    this.#load = new Load(this.#place?.maxInFlight);
    this.#ending = new Ending();
    this.#found.forget();
  }

  #admit(): void {
    if (this.#place === undefined) return;
    const { run, origin, basePath, shares, mayVanish } = this.#place;
    const backend = new Backend({
      ...{ run, origin, basePath, shares, mayVanish },
      ...{ name: this.#name, rank: this.#rank, models: this.#found.models },
      ...{ load: this.#load, ending: this.#ending },
      onUnreachable: (how) => this.#unreachable(backend, how),
    });
    this.#active = backend;
    this.#found.admitted();
    this.#ending.goesOn();
    this.#remember(this.#found.models);
    this.#init.onOverlap(this.#init.table.admit(backend));
    this.#draining.removeWhenIdle();
  }

  #unreachable(backend: Backend, how: Unreachable): void {
    if (backend !== this.#active) return;
    const seen = seenIfUnreachable(how, backend.mayVanish, this.#init.source.isFollowing());
    if (seen === undefined) return;
    this.#see(seen);
    const words = HOW_UNREACHABLE[how];
    this.#found.failed(unreachableReason(words), words);
  }

  #replaceModels(): void {
    if (this.#active === undefined) return;
    const before = this.#active.models;
    const overlaps = this.#init.table.replaceModels(this.#active, this.#found.models);
    this.#remember(this.#found.models);
    if (this.#active.models === before) return;
    const changes = modelChanges(before, this.#found.models);
    if (changes !== undefined) tellOfModels(this.#active.name, changes, this.#init);
    this.#init.onOverlap(overlaps); // also of the same models: replicas may differ in their entries
  }

  #remember(models: readonly Model[]): void {
    if (!sameNames(models, this.#served)) this.#served = models.map(namesOf);
  }

  #drain(): void {
    if (this.#active === undefined || this.#place === undefined) return;
    this.#draining.add(this.#active, this.#place);
    this.#active = undefined;
  }

  #remove(): void {
    if (this.#active !== undefined) this.#init.table.remove(this.#active, "run-over");
    this.#active = undefined;
    this.#draining.removeAll();
  }
}
