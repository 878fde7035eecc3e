/**
 * What is held of one server: the run that was seen last, at most one probing or active backend,
 * and any number of draining ones. It changes only by carrying out the steps that plan.ts decides.
 * It does all at once but the reading of models: that runs beside it, and its result comes back as
 * one more thing seen.
 */
import { stackOf } from "../ground/error-stack.ts";
import { Backend, type Model } from "../routing/backend.ts";
import { Ending } from "../routing/ending.ts";
import { Load } from "../routing/load.ts";
import { type ModelNames, namesOf, sameNames } from "../routing/names.ts";
import type { Overlap } from "../routing/overlap.ts";
import type { Rank, RunEnd } from "../routing/run.ts";
import type { Sighting, Source } from "../sources/sighting.ts";
import type { Changes } from "../telemetry/changes.ts";
import { DrainingBackends, type DrainingInit } from "./draining.ts";
import { modelChanges, tellOfModels } from "./model-changes.ts";
import { type ModelList, namedList } from "./model-list.ts";
import { ModelReading } from "./model-reading.ts";
import { type Held, type Place, placeOf, plan, type Seen, type Step, seenIn } from "./plan.ts";

export type HoldingInit = DrainingInit & {
  readonly source: Pick<Source, "isFollowing" | "settled">;
  /** @param url of the server's API */
  readonly readModels: (url: string, signal: AbortSignal) => Promise<ModelList>;
  /** The time between two reads of the models of an active backend, ms. */
  readonly rereadMs?: number;
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
  /** The models that the last read of this run gave. */
  #models: readonly Model[] = [];
  /** The models that the server served last, in this run or an earlier one. */
  #served: readonly ModelNames[] = [];
  /** Why the last read of its models failed; undefined if it did not fail. */
  #failure: string | undefined;
  /** Which entries of its model list the last read could not take; undefined if it took all. */
  #leftOut: string | undefined;
  /** How busy this run is: all its backends count in one load. */
  #load = new Load();
  /** What is known of the end of this run, and whether it has had a stop notice. */
  #ending = new Ending();
  #active: Backend | undefined;
  /** The reading of its models. Exists while the server is probing or active. */
  #reading: ModelReading | undefined;
  readonly #draining: DrainingBackends;

  /** @param name what people call the server, until the first sighting tells its name */
  constructor(name: string, init: HoldingInit) {
    this.#name = name;
    this.#init = init;
    this.#draining = new DrainingBackends(init);
  }

  /** The run that is held and the way to it; undefined if no run is held. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** Why the last read of its models failed; undefined if it did not fail. */
  get failure(): string | undefined {
    return this.#reading === undefined ? undefined : this.#failure;
  }

  /** Which entries of its model list the last read could not take, and why. */
  get leftOut(): string | undefined {
    return this.#leftOut;
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
    if (this.#reading !== undefined) return "probing";
    if (!this.#draining.hasSomeAt(this.#place)) return "unknown";
    return this.#ending.wasToldToStop ? "draining after notice" : "draining";
  }

  /** Resolves when the first read of its models has ended, well or not; at once without a reading. */
  get firstRead(): Promise<void> {
    return this.#reading?.firstTry ?? Promise.resolve();
  }

  /** Reads the models of an active backend again. Resolves when a read that began after this call has ended. */
  rereadModels(): Promise<void> {
    return (this.#active && this.#reading)?.readNow() ?? Promise.resolve();
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

  /** Acts on something seen of the run that is held. */
  #see(seen: Seen): void {
    this.#carryOut(plan(this.held, seen), { place: this.#place, rank: this.#rank });
  }

  /**
   * Carries out a step. It stops the reading first and starts it last: a reading belongs to the run
   * that is held, and the step may change that run in between.
   */
  #carryOut(step: Step, { place, rank }: { readonly place: Place | undefined; rank: Rank }): void {
    if (step.reading !== "keep") this.#stopReading();
    if (step.reading === "start") this.#rank = rank;
    this.#backendSteps[step.backends]();
    if (step.run !== "keep") this.#place = step.run === "forget" ? undefined : place;
    if (step.run === "take" || step.run === "forget") this.#begin();
    if (step.deadline === "set") this.#ending.toldToStop();
    this.#draining.deadlineSteps[step.deadline]();
    if (step.reading === "start") this.#startReading();
  }

  readonly #backendSteps: Readonly<Record<Step["backends"], () => void>> = {
    keep: () => undefined,
    admit: () => this.#admit(),
    "replace models": () => this.#replaceModels(),
    drain: () => this.#drain(),
    remove: () => this.#remove(),
  };

  /** Forgets what we knew of the run that was held before. */
  #begin(): void {
    this.#load = new Load(this.#place?.maxInFlight);
    this.#ending = new Ending();
    this.#models = [];
    this.#leftOut = undefined;
  }

  #startReading(): void {
    if (this.#place === undefined) return;
    const { origin, basePath, named } = this.#place;
    this.#reading = new ModelReading({
      read: (signal) =>
        named === undefined
          ? this.#init.readModels(`${origin}${basePath}`, signal)
          : Promise.resolve(namedList(named, this.#name)),
      settled: () => this.#init.source.settled(),
      rereadMs: this.#init.rereadMs,
      onRead: ({ models, leftOut }) => {
        this.#models = models;
        this.#leftOut = leftOut;
        this.#failure = undefined;
        this.#see("models read");
        this.#init.onProgress();
      },
      onFailed: (reason) => {
        this.#failure = reason;
        this.#see("read failed");
        this.#init.onProgress();
      },
      onBug: (error) => {
        const fields = { container: this.#name, reason: stackOf(error) };
        this.#init.log.error("a bug in the proxy: please report it", fields);
      },
    });
  }

  #stopReading(): void {
    this.#reading?.stop();
    this.#reading = undefined;
    this.#failure = undefined;
  }

  #admit(): void {
    if (this.#place === undefined) return;
    const { run, origin, basePath, shares } = this.#place;
    const backend = new Backend({
      ...{ run, origin, basePath, shares },
      ...{ name: this.#name, rank: this.#rank, models: this.#models },
      ...{ load: this.#load, ending: this.#ending },
      onRefused: () => this.#refused(backend),
    });
    this.#active = backend;
    this.#ending.goesOn();
    this.#remember(this.#models);
    this.#init.onOverlap(this.#init.table.admit(backend));
    this.#draining.removeWhenIdle();
  }

  /**
   * Drains the backend after a refused connection, if the source is not following. In that case the
   * run may be over and its address may belong to another server: a daemon that starts again starts
   * containers before it answers any call. If the run goes on, the next sighting admits it again.
   */
  #refused(backend: Backend): void {
    if (backend !== this.#active || this.#init.source.isFollowing()) return;
    this.#see("refused");
    this.#init.onProgress();
  }

  #replaceModels(): void {
    if (this.#active === undefined) return;
    const before = this.#active.models;
    const overlaps = this.#init.table.replaceModels(this.#active, this.#models);
    this.#remember(this.#models);
    if (this.#active.models === before) return;
    const changes = modelChanges(before, this.#models);
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
