/**
 * Counts the requests of the last 5 minutes and of the last hour, for each model, for each container and for
 * all. It is always on, for `GET /status`. Its memory is bounded: models and containers without requests for
 * an hour make room for others. A model or container without room counts only in the total.
 */
import type { Recent as RecentNumbers } from "../status.ts";
import type { Counting } from "./recent-call.ts";
import { RecentCounts } from "./recent-counts.ts";
import { ErrorCodes } from "./recent-errors.ts";
import { RecentRequest } from "./recent-report.ts";
import type { ReportedBackend, ReportedServer, Telemetry } from "./telemetry.ts";

/** The most models, and the most containers. Each takes at most 15 KiB. */
const COUNTED_MAX = 1_000;
/** Counts that are idle for this long are empty. */
const HOUR_MS = 3_600_000;
/** Counts that are idle for this long may make room for others, the longest idle first. */
const ROOM_AFTER_MS = 60_000;

export class Recent {
  readonly #now: () => number;
  readonly #codes = new ErrorCodes();
  readonly #all = new RecentCounts(this.#codes, 0);
  readonly #models: Counted;
  readonly #containers: Counted;
  /** A cache, so that a request need not build the key of its container. */
  readonly #ofBackends = new WeakMap<ReportedBackend, RecentCounts>();
  /** Model → requests that a backend is working on. Also for models without counts. */
  readonly #inFlight = new Map<string, number>();

  /** @param now a monotonic clock, ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#models = new Counted(this.#codes, COUNTED_MAX);
    this.#containers = new Counted(this.#codes, COUNTED_MAX);
  }

  /** @returns telemetry that also counts each request here */
  counting(telemetry: Telemetry): Telemetry {
    const counting: Counting = {
      now: this.#now,
      all: this.#all,
      ofModel: (id) => this.#models.of(id, this.#now()),
      ofBackend: (backend) => this.#ofBackend(backend),
      codeOf: (error) => this.#codes.of(error),
      began: (model) => void this.#inFlight.set(model, this.inFlightOf(model) + 1),
      over: (model) => this.#over(model),
    };
    return {
      ...telemetry,
      request: (request, path) =>
        new RecentRequest(request, path, telemetry.request(request, path), counting),
    };
  }

  /** For all requests. This and the next two are null without requests in the last hour. */
  get ofAll(): RecentNumbers | null {
    return this.#all.recent(this.#now());
  }

  ofModel(id: string): RecentNumbers | null {
    return this.#models.known(id)?.recent(this.#now()) ?? null;
  }

  ofContainer(server: ReportedServer): RecentNumbers | null {
    return this.#containers.known(keyOf(server))?.recent(this.#now()) ?? null;
  }

  /** The requests for a model that a backend is working on. */
  inFlightOf(model: string): number {
    return this.#inFlight.get(model) ?? 0;
  }

  /** The ids of the models that requests asked for within the last hour. */
  get models(): readonly string[] {
    return [...new Set([...this.#models.busy(this.#now()), ...this.#inFlight.keys()])];
  }

  #over(model: string): void {
    const left = this.inFlightOf(model) - 1;
    if (left > 0) this.#inFlight.set(model, left);
    else this.#inFlight.delete(model);
  }

  #ofBackend(backend: ReportedBackend): RecentCounts | undefined {
    const known = this.#ofBackends.get(backend);
    if (known !== undefined && !known.isForgotten) return known;
    const { run } = backend;
    const counts = run && this.#containers.of(keyOf(run), this.#now());
    if (counts !== undefined) this.#ofBackends.set(backend, counts);
    return counts;
  }
}

function keyOf({ source, id }: ReportedServer): string {
  return `${source} ${id}`;
}

/** A limited number of counts, by key. */
class Counted {
  readonly #codes: ErrorCodes;
  readonly #max: number;
  readonly #byKey = new Map<string, RecentCounts>();
  /** Until this time it does not search again for counts that could make room, ms. */
  #fullUntilMs = 0;

  constructor(codes: ErrorCodes, max: number) {
    this.#codes = codes;
    this.#max = max;
  }

  known(key: string): RecentCounts | undefined {
    return this.#byKey.get(key);
  }

  /** @returns undefined if there is no room */
  of(key: string, nowMs: number): RecentCounts | undefined {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= this.#max && !this.#makeRoom(nowMs)) return undefined;
    const counts = new RecentCounts(this.#codes, nowMs);
    this.#byKey.set(key, counts);
    return counts;
  }

  busy(nowMs: number): readonly string[] {
    return [...this.#byKey].flatMap(([key, counts]) =>
      counts.idleMs(nowMs) >= HOUR_MS ? [] : [key],
    );
  }

  /** @returns whether there is room now */
  #makeRoom(nowMs: number): boolean {
    if (nowMs < this.#fullUntilMs) return false;
    let [longestMs, longest] = [ROOM_AFTER_MS - 1, ""];
    for (const [key, counts] of this.#byKey) {
      const idleMs = counts.idleMs(nowMs);
      if (idleMs >= HOUR_MS) this.#forget(key);
      else if (idleMs > longestMs) [longestMs, longest] = [idleMs, key];
    }
    if (this.#byKey.size >= this.#max) this.#forget(longest);
    if (this.#byKey.size < this.#max) return true;
    this.#fullUntilMs = nowMs + LOOK_AGAIN_MS;
    return false;
  }

  #forget(key: string): void {
    const counts = this.#byKey.get(key);
    if (counts === undefined) return;
    counts.isForgotten = true;
    this.#byKey.delete(key);
  }
}

const LOOK_AGAIN_MS = 10_000;
