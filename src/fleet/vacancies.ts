/**
 * The vacant places of servers that were told to stop and are gone. For a while their models are expected back: the
 * same server may be started again, or another one may take its place. Reports only to the routing table.
 */
import type { ModelNames } from "../routing/names.ts";
import { keyOf, type Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";

export type VacancyTimes = {
  /** How long a request may wait, ms. With 0 no request waits, and no place is kept. */
  readonly waitTimeoutMs: number;
  /** How long a place is kept that no other server is about to take, ms. */
  readonly vacantMs?: number;
};

/** A server that has gone. */
export type Leaver = {
  readonly server: Server;
  /** See `Sighting`. */
  readonly slots: readonly string[];
  readonly models: readonly ModelNames[];
  /** True if it has served these models itself. Otherwise it was a successor that was never routed. */
  readonly hasServed: boolean;
};

type Vacancy = Leaver & {
  timer: Timer | undefined;
  /** The server no longer exists, so the vacancy can be deleted when its time is over. */
  isRemoved: boolean;
};

/** A server that was made, and when we first saw that. */
type Created = { readonly slots: readonly string[]; readonly sinceMs: number };

/** Long enough for `docker stop`, `rm` and `run` by hand, and for the gaps between the steps of Compose. Issue 17. */
const VACANT_MS = 10_000;
/** The most places that are kept at once. A host has a handful. */
const VACANCIES_MAX = 1_000;

const VACANT = {
  trouble: "being replaced",
  says: "was stopped, and no other server has taken its place yet",
} as const;

export class Vacancies {
  readonly #table: RoutingTable;
  readonly #waitTimeoutMs: number;
  readonly #vacantMs: number;
  /** By the key of the server that has gone. A vacancy without a timer is over. */
  readonly #vacancies = new Map<string, Vacancy>();
  /** The servers that were made and not started yet, by key. */
  readonly #created = new Map<string, Created>();
  /** The slots of running servers, by key. */
  readonly #running = new Map<string, readonly string[]>();

  constructor(table: RoutingTable, { waitTimeoutMs, vacantMs = VACANT_MS }: VacancyTimes) {
    this.#table = table;
    this.#waitTimeoutMs = waitTimeoutMs;
    this.#vacantMs = Math.min(vacantMs, waitTimeoutMs);
  }

  /**
   * A server was told to stop, and does not run. Callers may repeat this.
   *
   * @returns true if its models are expected back
   */
  left(leaver: Leaver): boolean {
    const key = keyOf(leaver.server);
    this.#running.delete(key);
    const known = this.#vacancies.get(key);
    if (known !== undefined) return known.timer !== undefined;
    if (this.#waitTimeoutMs === 0 || leaver.models.length === 0) return false;
    if (this.#vacancies.size >= VACANCIES_MAX) return false;
    const vacancy = { ...leaver, timer: undefined, isRemoved: false };
    this.#vacancies.set(key, vacancy);
    this.#keep(vacancy, this.#isNextMade(vacancy) ? this.#waitTimeoutMs : this.#vacantMs);
    return true;
  }

  /** A server was made in these slots and not started yet. It is about to take the place of another one. */
  created(server: Server, slots: readonly string[]): void {
    const key = keyOf(server);
    this.#running.delete(key);
    const known = this.#created.get(key);
    const sinceMs = known?.sinceMs ?? performance.now();
    this.#created.set(key, { slots, sinceMs });
    if (known !== undefined) return;
    for (const vacancy of this.#keptIn(slots, key)) this.#keep(vacancy, this.#waitTimeoutMs);
  }

  /** A server runs in these slots, so a vacancy for them is over. Callers may repeat this. */
  taken(server: Server, slots: readonly string[]): void {
    const key = keyOf(server);
    // A server that ran before the other one left is not its successor, whatever its labels say.
    const known = this.#running.get(key);
    this.#running.set(key, slots);
    if (known !== undefined && slots.every((slot) => known.includes(slot))) return;
    this.#created.delete(key);
    clearTimeout(this.#vacancies.get(key)?.timer);
    this.#vacancies.delete(key);
    for (const vacancy of this.#keptIn(slots, key)) this.#end(vacancy);
  }

  /** A server will not take the place of another one, even if it was about to. */
  notComing(server: Server): void {
    const key = keyOf(server);
    this.#running.delete(key);
    const created = this.#created.get(key);
    if (created === undefined) return;
    this.#created.delete(key);
    for (const vacancy of this.#keptIn(created.slots, key)) {
      if (!this.#isNextMade(vacancy)) this.#end(vacancy);
    }
  }

  /**
   * A server no longer exists. Its place is still kept if it has served its models, or if another one is about to take
   * the place: a server may be replaced while it still loads.
   *
   * @returns true if its models are expected back
   */
  removed(server: Server): boolean {
    this.notComing(server);
    const key = keyOf(server);
    const vacancy = this.#vacancies.get(key);
    if (vacancy === undefined) return false;
    vacancy.isRemoved = true;
    const isKept = vacancy.timer !== undefined && (vacancy.hasServed || this.#isNextMade(vacancy));
    if (!isKept) this.#end(vacancy);
    return isKept;
  }

  #keep(vacancy: Vacancy, ms: number): void {
    clearTimeout(vacancy.timer);
    vacancy.timer = setTimeout(() => this.#end(vacancy), ms);
    this.#table.expect(vacancy.server, { models: vacancy.models, ...VACANT });
  }

  /** True if another server was made in one of its slots not long ago, and is not started yet. */
  #isNextMade({ slots: of }: Leaver): boolean {
    const sinceMs = performance.now() - this.#waitTimeoutMs; // an older one is a leftover
    return [...this.#created.values()].some(
      (one) => one.sinceMs >= sinceMs && shareOne(one.slots, of),
    );
  }

  /** The vacancies in one of these slots, except that of the server with this key. */
  #keptIn(slots: readonly string[], exceptKey: string): readonly Vacancy[] {
    return [...this.#vacancies]
      .filter(
        ([key, { timer, slots: of }]) =>
          key !== exceptKey && timer !== undefined && shareOne(of, slots),
      )
      .map(([, vacancy]) => vacancy);
  }

  #end(vacancy: Vacancy): void {
    clearTimeout(vacancy.timer);
    vacancy.timer = undefined;
    if (vacancy.isRemoved) this.#vacancies.delete(keyOf(vacancy.server));
    this.#table.expect(vacancy.server, undefined, "was stopped");
  }
}

function shareOne(some: readonly string[], others: readonly string[]): boolean {
  return some.some((one) => others.includes(one));
}
