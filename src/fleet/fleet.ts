/**
 * The fleet: what is held of all servers of all sources. The only writer of the routing table. It is
 * level-triggered: whatever a source shows of a server, what is held of it is brought to that. It knows no
 * engine: sources tell it what they see, through the listener that they get when they join.
 */
import { atMostEvery, spaced } from "../ground/coalesce.ts";
import { keyOf, Ranks, type Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { SightingListener, Source } from "../sources/sighting.ts";
import type { ContainerStatus } from "../status.ts";
import type { Log } from "../telemetry/log.ts";
import { WarnOnce } from "../telemetry/warn-once.ts";
import { Member } from "./member.ts";
import type { ReadModels } from "./models.ts";
import { warnOfOverlaps } from "./overlaps.ts";
import { Readiness } from "./readiness.ts";
import { ServedModels } from "./served-models.ts";

export type FleetInit = {
  readonly table: RoutingTable;
  readonly log: Log;
  /** How long requests may go on when their server is stopped, ms. */
  readonly drainTimeoutMs: number;
  readonly readModels: ReadModels;
  /** Longest wait for the first read of models until ready, ms. */
  readonly readyTimeoutMs?: number;
  /** Between two reads of an active backend's models, ms. */
  readonly rereadMs?: number;
  /** Between two reads of all models that were asked for, ms. */
  readonly refreshMs?: number;
  /** Between two reads of one server's models that were asked for, ms. */
  readonly refreshOfMs?: number;
};

/** Anybody who asks for models that don't exist makes us read them. */
export const REFRESH_MS = 5_000;
/** Whoever may load adapters makes us read them. */
const REFRESH_OF_MS = 1_000;

export class Fleet {
  readonly #init: FleetInit;
  readonly #members = new Map<string, Member>();
  readonly #ranks = new Ranks();
  readonly #warnings: WarnOnce;
  readonly #served: ServedModels;
  readonly #readiness: Readiness;
  /**
   * Reads the models of all active backends, at most every 5 s: calls until then share what the first one
   * began. Resolves when all those reads have ended, well or not. Never throws.
   */
  readonly refreshModels: () => Promise<void>;
  /** Reads of single servers that are to come or under way: they are known to be needed. */
  readonly #asked = new Set<Promise<void>>();
  /** What `refreshModelsOf` calls. */
  readonly #refreshes = new WeakMap<Member, () => Promise<void>>();

  constructor(init: FleetInit) {
    this.#init = init;
    this.#warnings = new WarnOnce(init.log);
    this.#served = new ServedModels(init.table);
    this.#readiness = new Readiness(init.readyTimeoutMs, () => {
      init.log.info("ready", { models: init.table.models.length });
    });
    const refresh = atMostEvery(init.refreshMs ?? REFRESH_MS, async () => {
      await Promise.all([...this.#members.values()].map((member) => member.rereadModels()));
    });
    this.refreshModels = async () => void (await Promise.all([refresh(), ...this.#asked]));
  }

  /** What is known of each server, by name. */
  get members(): readonly ContainerStatus[] {
    return [...this.#members.values()]
      .map(({ status }) => status)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether each server that the first passes found routable has been asked for its models. */
  get isReady(): boolean {
    return this.#readiness.isReady;
  }

  /** @returns whom the source is to tell what it sees */
  join(source: Source): SightingListener {
    this.#readiness.await(source.name);
    const member = (server: Server, name: string): Member => this.#member(server, name, source);
    return {
      nextRank: () => this.#ranks.next(),
      met: (server, name) => void member(server, name),
      saw: (sighting, rank) => member(sighting.server, sighting.name).saw(sighting, rank),
      over: (run, reason) => this.#members.get(keyOf(run))?.over(run, reason),
      couldNotSee: (server, reason) => this.#members.get(keyOf(server))?.couldNotSee(reason),
      gone: (server) => this.#forget(keyOf(server)),
      passed: (isComplete) =>
        this.#readiness.passed(source.name, isComplete, () =>
          [...this.#members.values()].map(({ firstRead }) => firstRead),
        ),
    };
  }

  /**
   * Reads the models of one server's active backend, which are known to have changed: at once, but no sooner
   * than 1 s after it was asked for the last time.
   *
   * @returns when a read that began after this call has ended, well or not; at once if there is none
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

  #forget(key: string): void {
    this.#members.delete(key);
    this.#warnings.forget(key);
  }
}
