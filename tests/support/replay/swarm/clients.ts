/** Stand in for clients in a replay: they take leases as requests do. Some answers take long. */
import type { CloseReason, Lease } from "../../../../src/routing/backend.ts";
import type { RoutingTable } from "../../../../src/routing/table.ts";
import type { Random } from "../../client/random-json.ts";
import type { Judge } from "./judge.ts";

type Open = { readonly lease: Lease; readonly untilMs: number };

export class Clients {
  readonly objections: string[] = [];
  readonly #table: RoutingTable;
  readonly #judge: Judge;
  readonly #random: Random;
  #open: Open[] = [];

  constructor(table: RoutingTable, judge: Judge, random: Random) {
    this.#table = table;
    this.#judge = judge;
    this.#random = random;
  }

  request(model: string, nowMs: number): void {
    this.#open = this.#open.filter(({ lease: taken, untilMs }) => {
      if (untilMs <= nowMs) taken.end();
      return untilMs > nowMs;
    });
    const route = this.#table.route(model);
    if (route.kind !== "routed") return;
    const { lease } = route;
    this.#judge.lease(lease.backend, nowMs);
    lease.onClose((reason) => this.#closed(lease, reason));
    const isLong = this.#random(16) === 0;
    this.#open.push({ lease, untilMs: nowMs + (isLong ? this.#random(8_000) : this.#random(100)) });
  }

  #closed({ backend }: Lease, reason: CloseReason): void {
    const objection = this.#judge.closes(backend, reason);
    if (objection !== undefined) this.objections.push(objection);
  }
}
