/**
 * What is held of one container: at most one probing or active backend, any number of draining
 * ones. Carries out the steps of plan.ts; everything here is synchronous but the reading of models,
 * which runs beside it and comes back as one more thing seen.
 */
import { stackOf } from "../ground/error-stack.ts";
import { someOf } from "../ground/some-of.ts";
import { Backend, type Model } from "../routing/backend.ts";
import type { Rank } from "../routing/run.ts";
import type { Overlap } from "../routing/table.ts";
import type { Run } from "../sources/docker/observe.ts";
import { DrainingBackends, type DrainingInit } from "./draining.ts";
import type { ModelList } from "./model-list.ts";
import { ModelReading } from "./model-reading.ts";
import { type Held, plan, type Seen, type Step } from "./plan.ts";

export type TrackedInit = DrainingInit & {
  /** @param url of the server's API */
  readonly readModels: (url: string, signal: AbortSignal) => Promise<ModelList>;
  /** Resolves when the event stream has been open for long enough to admit somebody. */
  readonly settled: () => Promise<void>;
  /** Between two reads of an active backend's models, ms. */
  readonly rereadMs?: number;
  readonly onOverlap: (overlaps: readonly Overlap[]) => void;
  /** Whether events come, so that the end of a run is heard of; yes, if not given. */
  readonly isFollowing?: () => boolean;
  /** A read of its models has ended, and what came of it has been carried out. */
  readonly onProgress: () => void;
};

export class TrackedContainer {
  readonly #init: TrackedInit;
  #run: Run | undefined;
  #rank: Rank | undefined;
  /** The models this run had when it was last asked. */
  #models: readonly Model[] = [];
  /** Ids of the models it served last, in whatever run. */
  #served: readonly string[] = [];
  /** Why the last read of its models failed. */
  #failure: string | undefined;
  /** What of its list could not be taken when it was last read. */
  #leftOut: string | undefined;
  #noticed = false;
  #active: Backend | undefined;
  /** There is one for as long as it is probing or active. */
  #reading: ModelReading | undefined;
  readonly #draining: DrainingBackends;

  constructor(init: TrackedInit) {
    this.#init = init;
    this.#draining = new DrainingBackends(init);
  }

  get run(): Run | undefined {
    return this.#run;
  }

  /** Why its models could not be read, if that was so the last time. */
  get failure(): string | undefined {
    return this.#reading === undefined ? undefined : this.#failure;
  }

  /** What of its list could not be taken when that was last read, and why. */
  get leftOut(): string | undefined {
    return this.#leftOut;
  }

  /** Ids of the models it served last, in whatever run of the container. */
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

  /** Whether nothing of it is left to keep. */
  get isEmpty(): boolean {
    return this.#run === undefined && this.#draining.isEmpty;
  }

  get held(): Held {
    if (this.#active !== undefined) return "active";
    if (this.#reading !== undefined) return "probing";
    if (!this.#draining.hasSomeOf(this.#run)) return "unknown";
    return this.#noticed ? "draining after notice" : "draining";
  }

  /** Resolves when the first read of its models has ended, well or not; at once if none is under way. */
  get firstRead(): Promise<void> {
    return this.#reading?.firstTry ?? Promise.resolve();
  }

  /**
   * Reads the models of an active backend again; there is nothing to read of any other.
   *
   * @returns when a read that began after this call has ended, well or not
   */
  rereadModels(): Promise<void> {
    const reading = this.#active === undefined ? undefined : this.#reading;
    return reading?.readNow() ?? Promise.resolve();
  }

  /** @param rank of the look that saw it */
  see(seen: Seen, run: Run, rank: Rank): void {
    this.#follow(run);
    if (seen === "stopping") this.#noticed = true;
    const step = plan(this.held, seen);
    if (step === "probe" || step === "readmit") this.#rank = rank;
    this.#actions[step]();
    if (seen === "stopping") this.#draining.setDeadlines();
  }

  /** The run is over: the engine said so, or shows it. Or no way leads to where it was. */
  gone(): void {
    this.#actions[plan(this.held, "absent")]();
  }

  /** Another start is another run, and the one before is over; another address only moves it. */
  #follow(run: Run): void {
    const held = this.#run;
    if (held !== undefined && held.startedAtMs !== run.startedAtMs) this.gone();
    else if (held !== undefined && held.origin !== run.origin) this.#drain();
    else if (held !== undefined) return;
    if (held?.startedAtMs !== run.startedAtMs) this.#noticed = false;
    this.#run = run;
  }

  readonly #actions: Readonly<Record<Step, () => void>> = {
    keep: () => undefined,
    probe: () => this.#read(),
    "stop probing": () => this.#stopReading(),
    admit: () => this.#admit(),
    readmit: () => {
      this.#admit();
      this.#read();
    },
    drain: () => this.#drain(),
    "drain by deadline": () => this.#drain(),
    "set deadline": () => undefined, // see() does, whatever else is held
    "replace models": () => this.#replaceModels(),
    remove: () => this.#remove(),
  };

  #read(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#stopReading();
    this.#reading = new ModelReading({
      read: (signal) => this.#init.readModels(`${run.origin}${run.basePath}`, signal),
      settled: this.#init.settled,
      rereadMs: this.#init.rereadMs,
      onRead: ({ models, leftOut }) => {
        this.#models = models;
        this.#leftOut = leftOut;
        this.#failure = undefined;
        this.#actions[plan(this.held, "models read")]();
        this.#init.onProgress();
      },
      onFailed: (reason) => {
        this.#failure = reason;
        this.#actions[plan(this.held, "read failed")]();
        this.#init.onProgress();
      },
      onBug: (error) => {
        const [container, reason] = [run.name, stackOf(error)];
        this.#init.log.error("a bug in the proxy: please report it", { container, reason });
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
    if (this.#run === undefined || this.#rank === undefined) return;
    const { name, origin, basePath, source, id, startedAtMs } = this.#run;
    const models = this.#models;
    this.#active = new Backend({
      run: { source, id, startedAtMs },
      name,
      origin,
      basePath,
      rank: this.#rank,
      models,
      onRefused: () => this.#refused(),
    });
    this.#served = models.map((model) => model.id);
    onOverlap(table.admit(this.#active));
    this.#draining.removeWhenIdle();
  }

  /**
   * While no event comes, its run may be over and its address another container's: a daemon that
   * starts again has started containers before it answers anybody. The look that follows has it back.
   */
  #refused(): void {
    if (this.#active === undefined || (this.#init.isFollowing?.() ?? true)) return;
    this.#drain();
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
    this.#stopReading();
    const backend = this.#active;
    if (backend === undefined || this.#run === undefined) return;
    this.#active = undefined;
    this.#draining.add(backend, this.#run);
  }

  #remove(): void {
    this.#stopReading();
    if (this.#active !== undefined) this.#init.table.remove(this.#active, "run-over");
    this.#draining.removeAll();
    this.#active = undefined;
    this.#run = undefined;
    this.#models = [];
    this.#leftOut = undefined;
  }
}

function idsOnlyIn(models: readonly Model[], others: readonly Model[]): readonly string[] {
  const known = new Set(others.map(({ id }) => id));
  return models.filter(({ id }) => !known.has(id)).map(({ id }) => id);
}
