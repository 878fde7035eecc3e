/**
 * Stand in for clients in a replay. They take leases as requests do and count them. They object when they are sent
 * somewhere although the proxy had been told not to send anybody there. What the proxy had been told comes from the events
 * that were delivered (`Told`); what is true comes from the world.
 */
import type { ContainerEvent } from "../../../src/engine/events.ts";
import type { Backend, CloseReason, Lease } from "../../../src/routing/backend.ts";
import type { RoutingTable } from "../../../src/routing/table.ts";
import { type Random, seededRandom } from "../client/random-json.ts";
import type { FakeContainer } from "../engine/replies.ts";
import type { ReplayWorld } from "./world.ts";

/** The stops and ends that the proxy has been told of. Judged by the rules of src/README.md. */
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

/** How far the clock of the runtime and that of its timers may be apart, ms. */
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

  /** Sends a request for some model. Most are short; one in eight goes on for as long as it may. */
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
    // How long its answer takes.
    if (this.#random(8) > 0) setTimeout(() => this.#end(taken), this.#random(30));
  }

  /** To be called when the proxy reads models at this URL. */
  judgeRead(url: string): void {
    const { hostname } = new URL(url);
    const tenant = this.#world.tenantOf(hostname);
    if (tenant === undefined || !this.#told.isOver(tenant.id, tenant.startedAtMs)) return;
    this.objections.push(`models are read at ${hostname}, of a run whose end had been told`);
  }

  /** Compares the requests in flight that it counts with those that the backends count. */
  count(): void {
    for (const backend of this.#backends) {
      const open = [...this.#open].filter(({ lease }) => lease.backend === backend).length;
      if (backend.inFlight === open) continue;
      this.#object(backend, `counts ${backend.inFlight} in flight, but there are ${open}`);
    }
  }

  /** To be called when no container is there any more. */
  async finish(): Promise<void> {
    for (const taken of this.#open) {
      if (taken.closedBy === undefined) this.#object(taken.lease.backend, "never closed a lease");
      this.#end(taken);
    }
    this.count();
    for (const backend of this.#backends) {
      if (backend.state !== "closed") this.#object(backend, `ends as ${backend.state}`);
      else await backend.idle;
    }
  }

  #end(taken: Taken): void {
    taken.lease.end();
    taken.lease.end(); // as body and hang-up may both report
    this.#open.delete(taken);
  }

  #judgeRoute({ run: { id, startedAtMs }, origin }: Backend): void {
    if (this.#told.isOver(id, startedAtMs)) {
      this.objections.push(`routed to ${origin} of a run whose end had been told`);
    }
    if (this.#told.isStopping(id, startedAtMs, -CLOCKS_APART_MS)) {
      this.objections.push(`routed to ${origin} after its stop notice`);
    }
  }

  #judgeClose(backend: Backend, why: CloseReason): void {
    const container = this.#world.containers.find(({ id }) => id === backend.run.id);
    // At another address the run goes on, but no request to the old address will ever be answered.
    const goesOn =
      container !== undefined && isRunOf(backend, container) && isAt(backend, container);
    if (why === "run-over" && goesOn) this.#object(backend, "was closed though its run goes on");
    const { run } = backend;
    // However long ago the notice was: a backend is cut at its deadline, whether the notice has lapsed or not.
    const noticed = this.#told.isStopping(run.id, run.startedAtMs, 600_000);
    if (why === "cut" && !noticed) this.#object(backend, "was cut without a stop notice");
  }

  #object({ run, origin }: Backend, text: string): void {
    this.objections.push(`the backend ${origin} of ${run.id.slice(-4)} ${text}`);
  }
}

/** Whether the engine shows that the backend's run still goes on, paused or not. */
export function isRunOf({ run }: Backend, { status, startedAtMs }: FakeContainer): boolean {
  const runs = status === "running" || status === "paused";
  return runs && Math.abs(startedAtMs - run.startedAtMs) < 0.005;
}

function isAt({ origin }: Backend, { ipAddress }: FakeContainer): boolean {
  return new URL(origin).hostname === ipAddress;
}
