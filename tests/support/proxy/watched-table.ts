/**
 * A routing table that shows a test its backends (also draining ones) and its updates. The proxy does not
 * need this.
 */
import type { Backend, CloseReason } from "../../../src/routing/backend.ts";
import type { Overlap } from "../../../src/routing/overlap.ts";
import { RoutingTable, type TableUpdate } from "../../../src/routing/table.ts";

export class WatchedTable extends RoutingTable {
  readonly backends = new Set<Backend>();
  /** The updates that telemetry counts, in order. */
  readonly updates: TableUpdate[];

  constructor() {
    const updates: TableUpdate[] = [];
    super((update) => updates.push(update));
    this.updates = updates;
  }

  override admit(backend: Backend): readonly Overlap[] {
    this.backends.add(backend);
    return super.admit(backend);
  }

  override remove(backend: Backend, reason: CloseReason): void {
    this.backends.delete(backend);
    super.remove(backend, reason);
  }
}
