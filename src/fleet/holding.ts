/**
 * What is held of one server: the run that was seen last, at most one probing or active backend, any number
 * of draining ones. Carries out the steps of plan.ts, and changes by nothing else. All of it is synchronous
 * but the reading of models, which runs beside it and comes back as one more thing seen.
 */
import { stackOf } from "../ground/error-stack.ts";
import { someOf } from "../ground/some-of.ts";
import { Backend, type Model } from "../routing/backend.ts";
import type { Rank } from "../routing/run.ts";
import type { Overlap } from "../routing/table.ts";
import type { Sighting, Source } from "../sources/sighting.ts";
import { DrainingBackends, type DrainingInit } from "./draining.ts";
import type { ModelList } from "./model-list.ts";
import { ModelReading } from "./model-reading.ts";
import { type Held, type Place, plan, type Seen, type Step, seenIn } from "./plan.ts";

export type HoldingInit = DrainingInit & {
  readonly source: Pick<Source, "isFollowing" | "settled">;
  /** @param url of the server's API */
  readonly readModels: (url: string, signal: AbortSignal) => Promise<ModelList>;
  /** Between two reads of an active backend's models, ms. */
  readonly rereadMs?: number;
  readonly onOverlap: (overlaps: readonly Overlap[]) => void;
  /** Something was seen that its source has not told: models, a read that failed, a refused connection. */
  readonly onProgress: () => void;
};

export class Holding {
  readonly #init: HoldingInit;
  /** What its server is called. */
  #name: string;
  #place: Place | undefined;
  /** Of the sighting that its backend comes from. */
  #rank: Rank = 0;
  /** The models this run had when it was last asked. */
  #models: readonly Model[] = [];
  /** Ids of the models it served last, in whatever run. */
  #served: readonly string[] = [];
  /** Why the last read of its models failed. */
  #failure: string | undefined;
  /** What of its list could not be taken when it was last read. */
  #leftOut: string | undefined;
  /** Whether this run has had a stop notice. */
  #noticed = false;
  #active: Backend | undefined;
  /** There is one for as long as it is probing or active. */
  #reading: ModelReading | undefined;
  readonly #draining: DrainingBackends;

  /** @param name what its server is called, until it is seen */
  constructor(name: string, init: HoldingInit) {
    this.#name = name;
    this.#init = init;
    this.#draining = new DrainingBackends(init);
  }

  /** Where its requests go; undefined: there is no such place. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** Why its models could not be read, if that was so the last time. */
  get failure(): string | undefined {
    return this.#reading === undefined ? undefined : this.#failure;
  }

  /** What of its list could not be taken when that was last read, and why. */
  get leftOut(): string | undefined {
    return this.#leftOut;
  }

  /** Ids of the models it served last, in whatever run of the server. */
  get served(): readonly string[] {
    return this.#served;
  }

  /** The backend that takes its new requests. */
  get active(): Backend | undefined {
    return this.#active;
  }

  /** Requests in flight on all its backends. */
  get inFlight(): number {
    return (this.#active?.inFlight ?? 0) + this.#draining.inFlight;
  }

  get held(): Held {
    if (this.#active !== undefined) return "active";
    if (this.#reading !== undefined) return "probing";
    if (!this.#draining.hasSomeAt(this.#place)) return "unknown";
    return this.#noticed ? "draining after notice" : "draining";
  }

  /** Resolves when the first read of its models has ended, well or not; at once if none is under way. */
  get firstRead(): Promise<void> {
    return this.#reading?.firstTry ?? Promise.resolve();
  }

  /**
   * Reads the models of an active backend again. There is nothing to read of any other.
   *
   * @returns when a read that began after this call has ended, well or not
   */
  rereadModels(): Promise<void> {
    const reading = this.#active === undefined ? undefined : this.#reading;
    return reading?.readNow() ?? Promise.resolve();
  }

  /** @param rank of the wake that saw it */
  saw(sighting: Sighting, rank: Rank): void {
    this.#name = sighting.name;
    const place = placeOf(sighting);
    for (const seen of seenIn(sighting, this.#place, this.held)) {
      this.#carryOut(plan(this.held, seen), { place, rank });
    }
  }

  /** Its run is over. */
  over(): void {
    this.#see("absent");
  }

  /** Of the run that is held. */
  #see(seen: Seen): void {
    this.#carryOut(plan(this.held, seen), { place: this.#place, rank: this.#rank });
  }

  /** The reading ends first and begins last: it is of the run that is held in between. */
  #carryOut(step: Step, { place, rank }: { readonly place: Place | undefined; rank: Rank }): void {
    if (step.reading !== "keep") this.#stopReading();
    if (step.reading === "start") this.#rank = rank;
    this.#backendSteps[step.backends]();
    if (step.run !== "keep") this.#place = step.run === "forget" ? undefined : place;
    if (step.run === "take" || step.run === "forget") this.#begin();
    if (step.deadline === "set") {
      this.#noticed = true;
      this.#draining.setDeadlines();
    }
    if (step.reading === "start") this.#startReading();
  }

  readonly #backendSteps: Readonly<Record<Step["backends"], () => void>> = {
    keep: () => undefined,
    admit: () => this.#admit(),
    "replace models": () => this.#replaceModels(),
    drain: () => this.#drain(),
    remove: () => this.#remove(),
  };

  /** Nothing is known of the run that is held from here on. */
  #begin(): void {
    this.#noticed = false;
    this.#models = [];
    this.#leftOut = undefined;
  }

  #startReading(): void {
    if (this.#place === undefined) return;
    const { origin, basePath } = this.#place;
    this.#reading = new ModelReading({
      read: (signal) => this.#init.readModels(`${origin}${basePath}`, signal),
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
    const { table, onOverlap } = this.#init;
    if (this.#place === undefined) return;
    const { run, origin, basePath } = this.#place;
    const models = this.#models;
    const backend = new Backend({
      run,
      name: this.#name,
      origin,
      basePath,
      rank: this.#rank,
      models,
      onRefused: () => this.#refused(backend),
    });
    this.#active = backend;
    this.#served = models.map(({ id }) => id);
    onOverlap(table.admit(backend));
    this.#draining.removeWhenIdle();
  }

  /**
   * While its source hears of nothing, the run may be over and its address another server's: a daemon that
   * starts again has started containers before it answers anybody. The next sighting has it back.
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
    const added = idsOnlyIn(this.#models, before);
    const removed = idsOnlyIn(before, this.#models);
    if (added.length === 0 && removed.length === 0) return;
    this.#served = this.#models.map(({ id }) => id);
    this.#init.log.info("models changed", {
      container: this.#active.name,
      model_count: this.#models.length,
      added_count: added.length,
      added: someOf(added),
      removed_count: removed.length,
      removed: someOf(removed),
    });
    this.#init.onOverlap(overlaps);
  }

  #drain(): void {
    const backend = this.#active;
    if (backend === undefined || this.#place === undefined) return;
    this.#active = undefined;
    this.#draining.add(backend, this.#place);
  }

  #remove(): void {
    if (this.#active !== undefined) this.#init.table.remove(this.#active, "run-over");
    this.#active = undefined;
    this.#draining.removeAll();
  }
}

function placeOf(sighting: Sighting): Place | undefined {
  if (sighting.kind !== "present") return undefined;
  const { run, origin, doubt, settings } = sighting;
  return { run, origin, basePath: settings.basePath, doubt };
}

function idsOnlyIn(models: readonly Model[], others: readonly Model[]): readonly string[] {
  const known = new Set(others.map(({ id }) => id));
  return models.filter(({ id }) => !known.has(id)).map(({ id }) => id);
}
