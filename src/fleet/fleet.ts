/**
 * The fleet: all servers of all sources. Only the fleet writes the routing table. It is
 * level-triggered: it brings its state of a server in line with the latest sighting. It knows no
 * engine: each source gets a listener when it joins, and reports what it sees through that listener.
 */
import { atMostEvery, spaced } from "../ground/coalesce.ts";
import { cut } from "../ground/some-of.ts";
import { keyOf, Ranks, type Server } from "../routing/run.ts";
import { servingOf } from "../routing/served.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { SightingListener, Source } from "../sources/sighting.ts";
import { type ContainerStatus, type ModelServer, NAME_LENGTH_MAX, type Recent } from "../status.ts";
import { type Changes, PROXY } from "../telemetry/changes.ts";
import type { Log } from "../telemetry/log.ts";
import { WarnOnce } from "../telemetry/warn-once.ts";
import { Drains } from "./drains.ts";
import { Member } from "./member.ts";
import type { ReadModels } from "./models.ts";
import { warnOfOverlaps } from "./overlaps.ts";
import type { Connect } from "./reach.ts";
import { Readiness } from "./readiness.ts";
import { ServedModels } from "./served-models.ts";
import { sharingNotes } from "./sharing.ts";

export type FleetInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  /** How long requests may go on after a stop notice, ms. */
  readonly drainTimeoutMs: number;
  /** How long a request may wait for its model, ms. With 0, the default, requests do not wait. */
  readonly waitTimeoutMs?: number;
  readonly readModels: ReadModels;
  /** See `FoundModelsInit`. */
  readonly connect?: Connect;
  /** The longest wait for the first reads of models before the proxy is ready, ms. */
  readonly readyTimeoutMs?: number;
  /** The time between two reads of the models of an active backend, ms. */
  readonly rereadMs?: number;
  /** The least time between two reads of all models that clients cause, ms. */
  readonly refreshMs?: number;
  /** The least time between two reads of one server's models that clients cause, ms. */
  readonly refreshOfMs?: number;
  /** Gets the changes that operators may want to see. */
  readonly changes?: Changes;
  /** The recent requests of a server and their results. Null if it got none in the last hour. */
  readonly recentOfContainer?: (server: Server) => Recent | null;
};

/** The most models of all containers together that `GET /status` shows. More never fit into its answer. */
const SHOWN_MODELS_MAX = 65_536;

/** A request for an unknown model makes us read all models again. This limits how often. */
export const REFRESH_MS = 5_000;
/** A request that loads an adapter makes us read the models of that server again. This limits how often. */
const REFRESH_OF_MS = 1_000;

export class Fleet {
  readonly #init: FleetInit;
  readonly #members = new Map<string, Member>();
  readonly #ranks = new Ranks();
  readonly drains = new Drains({
    members: () => [...this.#members.values()],
    nextRank: () => this.#ranks.next(),
    isReady: () => this.isReady,
    awaitsEngine: () => this.awaitsSources,
  });
  /** The result of `sharingNotes`, valid until the table changes. `of` is the array of models at that time. */
  #notes: { readonly of: unknown; readonly notes: ReturnType<typeof sharingNotes> } = {
    of: undefined,
    notes: new Map(),
  };
  readonly #warnings: WarnOnce;
  readonly #served: ServedModels;
  readonly #readiness: Readiness;
  /**
   * Reads the models of all active backends again, at most every 5 s. All calls within 5 s share the
   * same reads. Also waits for the reads that `refreshModelsOf` has started. Resolves when all these
   * reads have succeeded or failed. Never throws.
   */
  readonly refreshModels: () => Promise<void>;
  /** The reads in progress that `refreshModelsOf` has started. */
  readonly #asked = new Set<Promise<void>>();
  /** For each member, the function that `refreshModelsOf` calls. It spaces the reads. */
  readonly #refreshes = new WeakMap<Member, () => Promise<void>>();

  constructor(init: FleetInit) {
    this.#init = init;
    this.#warnings = new WarnOnce(init.log);
    this.#served = new ServedModels(init.table, { waitTimeoutMs: init.waitTimeoutMs ?? 0 });
    this.#readiness = new Readiness(init.readyTimeoutMs, () => {
      const { length } = init.table.models;
      init.log.info("ready", { models: length });
      const reason = `${length} ${length === 1 ? "model" : "models"}`;
      init.changes?.add({ ...PROXY, state: "ready", reason, gist: "ready" }, Date.now());
    });
    const refresh = atMostEvery(init.refreshMs ?? REFRESH_MS, async () => {
      await Promise.all([...this.#members.values()].map((member) => member.rereadModels()));
    });
    this.refreshModels = async () => void (await Promise.all([refresh(), ...this.#asked]));
  }

  /** What `GET /status` shows of each server, sorted by name. */
  get members(): readonly ContainerStatus[] {
    const { models } = this.#init.table;
    if (this.#notes.of !== models) {
      this.#notes = { of: models, notes: sharingNotes(this.#init.table.overlaps) };
    }
    const { notes } = this.#notes;
    const modelsMax = Math.max(1, Math.floor(SHOWN_MODELS_MAX / this.#members.size));
    return [...this.#members.values()]
      .map((member) => member.status(notes, modelsMax))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The servers that have a model, for `GET /status`.
   *
   * @param id of the model in the model list
   */
  serversOf(id: string, countMax: number): readonly ModelServer[] {
    const served = this.#init.table.servedBy(id);
    if (served === undefined) return [];
    return servingOf(served, countMax).map(({ server, name, gets }) => {
      const shown = this.#members.get(keyOf(server))?.name ?? name; // it may have been renamed
      return { container: cut(shown, NAME_LENGTH_MAX), gets };
    });
  }

  /**
   * True once each server that was routable at first has been asked for its models, or the wait for
   * that is over: see `Readiness`.
   */
  get isReady(): boolean {
    return this.#readiness.isReady;
  }

  /** See `Readiness`. */
  get awaitsSources(): boolean {
    return this.#readiness.awaitsSources;
  }

  /** @returns the listener through which the source reports what it sees */
  join(source: Source): SightingListener {
    this.#readiness.await(source.name);
    const member = (server: Server, name: string): Member => this.#member(server, name, source);
    return {
      nextRank: () => this.#ranks.next(),
      met: (server, name) => void member(server, name),
      saw: (sighting, rank) => member(sighting.server, sighting.name).saw(sighting, rank),
      over: (run, end) => this.#members.get(keyOf(run))?.over(run, end),
      couldNotSee: (server, reason) => this.#members.get(keyOf(server))?.couldNotSee(reason),
      takesRequests: (server) => this.#members.get(keyOf(server))?.takesRequests ?? false,
      gone: (server) => this.#forget(server),
      passed: (isComplete) =>
        this.#readiness.passed(source.name, isComplete, () =>
          [...this.#members.values()].map(({ firstRead }) => firstRead),
        ),
    };
  }

  /**
   * Reads the models of one server's active backend again, because we know that they have changed.
   * Reads at once, or 1 s after the start of the last such read.
   *
   * @returns a promise that resolves when a read that began after this call has succeeded or failed;
   *   at once if there is nothing to read
   */
  refreshModelsOf(server: Server): Promise<void> {
    const member = this.#members.get(keyOf(server));
    if (member === undefined) return Promise.resolve();
    const { refreshOfMs = REFRESH_OF_MS } = this.#init;
    const refresh = this.#refreshes.get(member) ?? spaced(refreshOfMs, () => member.rereadModels());
    this.#refreshes.set(member, refresh);
    const asked = refresh();
    this.#asked.add(asked);
    return asked.finally(() => this.#asked.delete(asked));
  }

  #member(server: Server, name: string, source: Source): Member {
    const key = keyOf(server);
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const member = new Member(server, name, {
      ...this.#init,
      source,
      served: this.#served,
      onOverlap: (overlaps) => warnOfOverlaps(this.#warnings, overlaps),
    });
    this.#members.set(key, member);
    return member;
  }

  #forget(server: Server): void {
    const key = keyOf(server);
    this.#members.get(key)?.gone();
    this.#served.removed(server);
    this.#members.delete(key);
    this.#warnings.forget(key);
  }
}
