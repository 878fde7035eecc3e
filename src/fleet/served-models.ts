/**
 * Remembers which models each server served last, and reports to the routing table which models are
 * expected back. So the table can tell a model whose container is starting again from a model that
 * never existed.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { ModelNames } from "../routing/names.ts";
import type { Trouble } from "../routing/routes.ts";
import type { Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { Outlook } from "../sources/sighting.ts";
import { Vacancies, type VacancyTimes } from "./vacancies.ts";

type Told = {
  readonly server: Server;
  /** See `Sighting`. */
  readonly slots: readonly string[];
  /** `runs`: it runs. Any other value: it does not run now. */
  readonly outlook: "runs" | Outlook;
  /** True if the proxy can route it as it is set up, sooner or later. */
  readonly isRoutable: boolean;
  /** True if it takes requests, so its models are known, even if there are none. */
  readonly isActive: boolean;
  /** The models that its label names, if any. They are known before the server has served any. */
  readonly named: readonly ModelNames[] | undefined;
  /** What keeps it from taking requests. Undefined if we know of nothing. */
  readonly trouble: Trouble | undefined;
  /** See `Unavailable`. */
  readonly says: string | undefined;
  /** If it does not run: how it ended, in words for clients: `exited with code 1`. */
  readonly lost?: string | undefined;
  /** The models that this server served last. */
  readonly served: readonly ModelNames[];
};

/** The server runs, or its source is going to start it again. */
const ALIVE: ReadonlySet<Told["outlook"]> = new Set(["runs", "starts again", "crash loop"]);

/**
 * How many slots we remember. A container may come back in the same slot with another id.
 */
const SLOTS_MAX = 2_000;

export class ServedModels {
  readonly #table: RoutingTable;
  readonly #bySlot = new BoundedMap<string, readonly ModelNames[]>(SLOTS_MAX);
  readonly #vacancies: Vacancies;

  constructor(table: RoutingTable, times: VacancyTimes = { waitTimeoutMs: 0 }) {
    this.#table = table;
    this.#vacancies = new Vacancies(table, times);
  }

  tell(told: Told): void {
    const { slots, outlook, isActive, served } = told;
    const hasServed = isActive || served.length > 0;
    if (hasServed) this.#remember(slots, served);
    const before = hasServed ? served : (told.named ?? this.#servedIn(slots) ?? []);
    if (ALIVE.has(outlook)) this.#tellOfRunning(told, hasServed || told.isRoutable ? before : []);
    else this.#tellOfAbsent(told, before, hasServed);
  }

  #tellOfRunning(
    { server, slots, outlook, trouble, says }: Told,
    models: readonly ModelNames[],
  ): void {
    this.#vacancies.taken(server, slots);
    const isHopeless = outlook === "crash loop" || trouble === "misconfigured";
    const expectation = { models, trouble, says, isHopeless };
    this.#table.expect(server, models.length > 0 ? expectation : undefined);
  }

  #tellOfAbsent(
    { server, slots, outlook, lost }: Told,
    models: readonly ModelNames[],
    hasServed: boolean,
  ): void {
    if (outlook === "created") this.#vacancies.created(server, slots);
    else this.#vacancies.notComing(server);
    const isKept =
      outlook === "was stopped" && this.#vacancies.left({ server, slots, models, hasServed });
    if (!isKept) this.#table.expect(server, undefined, lost);
  }

  /** The server is no longer there. */
  removed(server: Server): void {
    // A server that still drains when its source stops following it was never reported absent.
    if (!this.#vacancies.removed(server)) this.#table.expect(server, undefined);
  }

  #servedIn(slots: readonly string[]): readonly ModelNames[] | undefined {
    for (const slot of slots) {
      const models = this.#bySlot.get(slot);
      if (models !== undefined) return models;
    }
    return undefined;
  }

  #remember(slots: readonly string[], served: readonly ModelNames[]): void {
    for (const slot of slots) {
      if (this.#bySlot.get(slot) !== served) this.#bySlot.set(slot, served);
    }
  }
}
