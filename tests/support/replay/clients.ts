/**
 * Stand-ins for clients in a replay. They take leases as requests do, and count them. They object when the
 * proxy routes them to a run although the delivered events (`Told`) said that this run stops or has ended.
 * The world (world.ts) says what is true.
 */
import type { ContainerEvent } from "../../../src/engine/events.ts";
import type { Backend, CloseReason, Lease } from "../../../src/routing/backend.ts";
import type { RoutingTable } from "../../../src/routing/table.ts";
import { type Random, seededRandom } from "../client/random-json.ts";
import type { FakeContainer } from "../engine/replies.ts";
import type { ReplayWorld } from "./world.ts";

/** The stops and ends that the events reported to the proxy. It follows the rules of src/README.md. */
export class Told {
  readonly #lapseMs: number;
  readonly #overMs = new Map<string, number>();
  readonly #kills: ContainerEvent[] = [];
  readonly #heardOf = new Set<string>();

  /** @param lapseMs how long a stop notice counts */
  constructor(lapseMs: number) {
    this.#lapseMs = lapseMs;
  }

  readonly hear = (event: ContainerEvent): void => {
    const { kind, containerId, timeMs } = event;
    this.#heardOf.add(containerId);
    if (kind === "kill") this.#kills.push(event);
    if (kind !== "run over") return;
    this.#overMs.set(containerId, Math.max(timeMs, this.#overMs.get(containerId) ?? 0));
  };

  hasHeardOf(containerId: string): boolean {
    return this.#heardOf.has(containerId);
  }

  isOver(containerId: string, startedAtMs: number): boolean {
    return (this.#overMs.get(containerId) ?? 0) > startedAtMs;
  }

  /** @param withinMs how long ago the notice may have lapsed */
  isStopping(containerId: string, startedAtMs: number, withinMs = 0): boolean {
    const sinceMs = Date.now() - this.#lapseMs - withinMs;
    return this.#kills.some(
      ({ containerId: id, timeMs, signal = 0 }) =>
        id === containerId &&
        [2, 3, 9, 15].includes(signal) &&
        timeMs > Math.max(startedAtMs, sinceMs),
    );
  }
}

type Surroundings = {
  readonly world: ReplayWorld;
  readonly table: RoutingTable;
  readonly told: Told;
};

type Taken = { readonly lease: Lease; closedBy: CloseReason | undefined };

/** The largest difference between the runtime's clock and the clock of its timers, in ms. */
const CLOCKS_APART_MS = 5;

export class ReplayClients {
  readonly objections: string[] = [];
  readonly #world: ReplayWorld;
  readonly #table: RoutingTable;
  readonly #told: Told;
  readonly #random: Random;
  readonly #backends = new Set<Backend>();
  readonly #open = new Set<Taken>();

  constructor(seed: number, { world, table, told }: Surroundings) {
    this.#random = seededRandom(seed + 2_000_000);
    this.#world = world;
    this.#table = table;
    this.#told = told;
  }

  /** Sends a request for some model. Most are short. One in eight continues as long as it may. */
  request(): void {
    const { modelIds } = this.#world;
    const route = this.#table.route(modelIds[this.#random(modelIds.length)] ?? "");
    if (route.kind !== "routed") return;
    const { lease } = route;
    const taken: Taken = { lease, closedBy: undefined };
    this.#open.add(taken);
    this.#backends.add(lease.backend);
    this.#judgeRoute(lease.backend);
    lease.onClose((why) => {
      taken.closedBy = why;
      this.#judgeClose(lease.backend, why);
    });
    // The duration of its answer.
    if (this.#random(8) > 0) setTimeout(() => this.#end(taken), this.#random(30));
  }

  /** Call this when the proxy reads models at this URL. */
  judgeRead(url: string): void {
    const { hostname } = new URL(url);
    const tenant = this.#world.tenantOf(hostname);
    if (tenant === undefined || !this.#told.isOver(tenant.id, tenant.startedAtMs)) return;
    this.objections.push(
      `models are read at ${hostname}, although an event said that this run has ended`,
    );
  }

  /** Compares the number of requests in flight here with the backends' counts. */
  count(): void {
    for (const backend of this.#backends) {
      const open = [...this.#open].filter(({ lease }) => lease.backend === backend).length;
      if (backend.inFlight === open) continue;
      this.#object(backend, `counts ${backend.inFlight} in flight, but there are ${open}`);
    }
  }

  /** Call this when all containers are gone. */
  async finish(): Promise<void> {
    for (const taken of this.#open) {
      if (taken.closedBy === undefined) this.#object(taken.lease.backend, "never closed a lease");
      this.#end(taken);
    }
    this.count();
    for (const backend of this.#backends) {
      if (backend.state !== "closed") this.#object(backend, `ends in the state ${backend.state}`);
      else await backend.idle;
    }
  }

  #end(taken: Taken): void {
    taken.lease.end();
    taken.lease.end(); // ended twice: the body and the hang-up may both report the end
    this.#open.delete(taken);
  }

  #judgeRoute({ run: { id, startedAtMs }, origin }: Backend): void {
    if (this.#told.isOver(id, startedAtMs)) {
      this.objections.push(`routed to ${origin} although an event said that this run has ended`);
    }
    if (this.#told.isStopping(id, startedAtMs, -CLOCKS_APART_MS)) {
      this.objections.push(`routed to ${origin} after the stop notice of its run`);
    }
  }

  #judgeClose(backend: Backend, why: CloseReason): void {
    const container = this.#world.containers.find(({ id }) => id === backend.run.id);
    // At a new address the run continues, but the server will never answer requests to the old address.
    const goesOn =
      container !== undefined && isRunOf(backend, container) && isAt(backend, container);
    if (why === "run-over" && goesOn)
      this.#object(backend, "was closed although its run continues");
    const { run } = backend;
    // The age of the notice does not matter: a backend is cut at its deadline, even if the notice has lapsed.
    const noticed = this.#told.isStopping(run.id, run.startedAtMs, 600_000);
    if (why === "cut" && !noticed) this.#object(backend, "was cut without a stop notice");
  }

  #object({ run, origin }: Backend, text: string): void {
    this.objections.push(`the backend ${origin} of ${run.id.slice(-4)} ${text}`);
  }
}

/** Whether the engine shows that the backend's run continues, paused or not. */
export function isRunOf({ run }: Backend, { status, startedAtMs }: FakeContainer): boolean {
  const runs = status === "running" || status === "paused";
  return runs && Math.abs(startedAtMs - run.startedAtMs) < 0.005;
}

function isAt({ origin }: Backend, { ipAddress }: FakeContainer): boolean {
  return new URL(origin).hostname === ipAddress;
}
