/**
 * Remembers which server served which models last, and tells the routing table which models are
 * expected back. So the table can tell a model whose container starts again from one that never
 * existed. This file does not answer any request.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";

type Told = {
  readonly server: Server;
  readonly name: string;
  /** True if the server runs, or its source is going to start it again. */
  readonly isAlive: boolean;
  /** Ids of the models that this server itself served last. */
  readonly served: readonly string[];
  /** True if its list is empty now. It is not enough that `served` is: it may not have a list yet. */
  readonly hasNone: boolean;
};

/**
 * How many names of containers we remember. A container may come back with the same name and
 * another id.
 */
const NAMES_MAX = 1_000;

export class ServedModels {
  readonly #table: RoutingTable;
  readonly #byName = new BoundedMap<string, readonly string[]>(NAMES_MAX);

  constructor(table: RoutingTable) {
    this.#table = table;
  }

  tell({ server, name, isAlive, served, hasNone }: Told): void {
    if (hasNone) this.#byName.delete(name);
    if (served.length > 0) this.#remember(name, served);
    if (!isAlive) this.#table.expect(server, undefined);
    else if (served.length > 0) this.#table.expect(server, { kind: "back", modelIds: served });
    else {
      const modelIds = this.#byName.get(name);
      this.#table.expect(server, modelIds && { kind: "anew", modelIds });
    }
  }

  #remember(name: string, served: readonly string[]): void {
    if (this.#byName.get(name) === served) return;
    this.#byName.set(name, served);
  }
}
