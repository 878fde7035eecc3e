/**
 * The state of one server: its current run, at most one probing or active backend, and any number of
 * draining ones. It changes only by the steps that plan.ts decides. All steps are synchronous, except
 * the reading of models: that runs in the background, and its result comes back as another `Seen`.
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
    /** Called when we have seen something that no source reports: models, a failed read, a refused connection. */
    readonly onProgress: () => void;
  };

export class Holding {
  readonly #init: HoldingInit;
  /** The server's name, as people know it. */
  #name: string;
  #place: Place | undefined;
  /** The rank of the sighting that started the reading of models. Its backend gets this rank. */
  #rank: Rank = 0;
  /** The models that the server served last, in this run or an earlier one. */
  #served: readonly ModelNames[] = [];
  /** The load of this run. All its backends share it. */
  #load = new Load();
  #ending = new Ending();
  #active: Backend | undefined;
  /** Reads its models while the server is probing or active. */
  readonly #found: FoundModels;
  readonly #draining: DrainingBackends;

  /** @param name the server's name until the first sighting */
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

  /** The current run and how to reach it. Undefined if the server has no run. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** For these three see `FoundModels`. */
  get failure(): string | undefined {
    return this.#found.failure;
  }

  get lost(): string | undefined {
    return this.#found.lost;
  }

  get leftOut(): string | undefined {
    return this.#found.leftOut;
  }

  /** The models that the server served last, in this run or an earlier one. The array changes only with the models. */
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

  /** See `FoundModels.firstRead`. */
  get firstRead(): Promise<void> {
    return this.#found.firstRead;
  }

  /** Reads the models of an active backend again. Resolves when a read that began after this call has ended. */
  rereadModels(): Promise<void> {
    return this.#active === undefined ? Promise.resolve() : this.#found.readNow();
  }

  /**
   * @param rank the rank of the wake that led to this sighting
   * @param isDrained an operator has drained this run
   */
  saw(sighting: Sighting, rank: Rank, isDrained = false): void {
    this.#name = sighting.name;
    const place = placeOf(sighting);
    for (const seen of seenIn(sighting, this.#place, this.held, isDrained)) {
      this.#carryOut(plan(this.held, seen), { place, rank });
    }
  }

  /** An operator has undrained the current run. A sighting of it follows. */
  readonly undrained = (): void => this.#see("undrained");

  /** The current run is over. Says whether requests ended with it. */
  over(end: RunEnd): { readonly tookRequests: boolean; readonly ending: Ending } {
    const ending = this.#ending;
    const tookRequests = this.inFlight > 0 || ending.hasJustBrokenOff;
    ending.ended(end);
    this.#see("absent");
    return { tookRequests, ending };
  }

  /** No more sightings follow. The last one was absent or stopping. */
  gone(): void {
    this.#found.stop();
    this.#draining.removeWhenIdle();
  }

  /** Acts on something that we have seen of the current run. */
  #see(seen: Seen): void {
    this.#carryOut(plan(this.held, seen), { place: this.#place, rank: this.#rank });
  }

  /**
   * Carries out a step. It stops the reading first and starts it last: a reading belongs to the current
   * run, and the step may change that run in between.
   */
  #carryOut(step: Step, { place, rank }: { readonly place: Place | undefined; rank: Rank }): void {
    if (step.reading !== "keep") this.#found.stop();
    if (step.reading === "start") this.#rank = rank;
    this.#backendSteps[step.backends]();
    if (step.run !== "keep") this.#changeRun(step.run, place);
    if (step.backends === "replace backend") this.#admit();
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
    "replace backend": () => this.#drain(), // #carryOut admits the next one after the run has its new settings
    drain: () => this.#drain(),
    remove: () => this.#remove(),
  };

  /** Forgets what we knew about the run before. */
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
    this.#init.onOverlap(overlaps); // even with the same ids: the entries of replicas may differ now
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
