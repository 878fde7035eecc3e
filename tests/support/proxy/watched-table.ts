/** A routing table whose backends a test can see, draining ones too: the proxy itself has no need to. */
import type { Backend, CloseReason } from "../../../src/routing/backend.ts";
import { type Overlap, RoutingTable } from "../../../src/routing/table.ts";

export class WatchedTable extends RoutingTable {
  readonly backends = new Set<Backend>();

  override admit(backend: Backend): readonly Overlap[] {
    this.backends.add(backend);
    return super.admit(backend);
  }

  override remove(backend: Backend, reason: CloseReason): void {
    this.backends.delete(backend);
    super.remove(backend, reason);
  }
}
