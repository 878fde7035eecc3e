/** A routing table whose backends and updates a test can see, draining ones too: the proxy itself has no need to. */
import type { Backend, CloseReason } from "../../../src/routing/backend.ts";
import type { Overlap } from "../../../src/routing/overlap.ts";
import { RoutingTable, type TableUpdate } from "../../../src/routing/table.ts";

export class WatchedTable extends RoutingTable {
  readonly backends = new Set<Backend>();
  /** What telemetry counts, in order. */
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
