/**
 * Who served which models last. A model whose container starts again is not unknown: the table says
 * so to those who ask for it, and tells them apart from those who ask for what never was.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";

type Told = {
  readonly server: Server;
  readonly name: string;
  /** Whether the engine shows it as running, paused or restarting. */
  readonly isAlive: boolean;
  /** Ids of the models that the container itself served last. */
  readonly served: readonly string[];
};

/** Names that are remembered, of containers that may come again under another id. */
const NAMES_MAX = 1_000;

export class ServedModels {
  readonly #table: RoutingTable;
  readonly #byName = new BoundedMap<string, readonly string[]>(NAMES_MAX);

  constructor(table: RoutingTable) {
    this.#table = table;
  }

  tell({ server, name, isAlive, served }: Told): void {
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
