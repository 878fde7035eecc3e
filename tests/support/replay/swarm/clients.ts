/** Stand-ins for clients in a replay: they take leases as requests do. Some answers take long. */
import type { CloseReason, Lease } from "../../../../src/routing/backend.ts";
import type { RoutingTable } from "../../../../src/routing/table.ts";
import type { Random } from "../../client/random-json.ts";
import type { Judge } from "./judge.ts";

type Open = { readonly lease: Lease; readonly untilMs: number; isClosed: boolean };

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
    this.#end(nowMs);
    const route = this.#table.route(model);
    if (route.kind !== "routed") return;
    const { lease } = route;
    this.#judge.lease(lease.backend, nowMs);
    const isLong = this.#random(16) === 0;
    const untilMs = nowMs + (isLong ? this.#random(8_000) : this.#random(100));
    const open: Open = { lease, untilMs, isClosed: false };
    this.#open.push(open);
    lease.onClose((reason) => {
      open.isClosed = true;
      this.#closed(lease, reason);
    });
  }

  #end(nowMs: number): void {
    this.#open = this.#open.filter(({ lease, untilMs, isClosed }) => {
      if (!isClosed && this.#judge.isOver(lease.backend)) {
        this.objections.push(
          `at ${nowMs} ms a request hangs at ${lease.backend.run.id}, which has ended`,
        );
      }
      if (untilMs <= nowMs) lease.end();
      return untilMs > nowMs;
    });
  }

  #closed({ backend }: Lease, reason: CloseReason): void {
    const objection = this.#judge.closes(backend, reason);
    if (objection !== undefined) this.objections.push(objection);
  }
}
