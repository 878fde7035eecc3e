/**
 * Remembers which server served which models last, and tells the routing table which models are
 * expected back. So the table can tell a model whose container starts again from one that never
 * existed. This file does not answer any request.
 */
import { BoundedMap } from "../ground/bounded-map.ts";
import type { ModelNames } from "../routing/names.ts";
import type { Trouble } from "../routing/routes.ts";
import type { Server } from "../routing/run.ts";
import type { RoutingTable } from "../routing/table.ts";

type Told = {
  readonly server: Server;
  readonly name: string;
  /** True if the server runs, or its source is going to start it again. */
  readonly isAlive: boolean;
  /** True if it may be routed as it is set up, sooner or later. */
  readonly isRoutable: boolean;
  /** True if its models are known, even if there are none, and it takes requests for them. */
  readonly isActive: boolean;
  /** The models that its label names, if it does. They are known before the server has served any. */
  readonly named: readonly ModelNames[] | undefined;
  /** What keeps it from taking requests; undefined if nothing is known to. */
  readonly trouble: Trouble | undefined;
  /** The models that this server itself served last. */
  readonly served: readonly ModelNames[];
};

/**
 * How many names of containers we remember. A container may come back with the same name and
 * another id.
 */
const NAMES_MAX = 1_000;

export class ServedModels {
  readonly #table: RoutingTable;
  readonly #byName = new BoundedMap<string, readonly ModelNames[]>(NAMES_MAX);

  constructor(table: RoutingTable) {
    this.#table = table;
  }

  tell({ server, name, isAlive, isRoutable, isActive, named, trouble, served }: Told): void {
    const isKnown = isActive || served.length > 0;
    if (isKnown) this.#remember(name, served);
    const before = isRoutable ? (named ?? this.#byName.get(name)) : undefined;
    const models = (isKnown ? served : before) ?? [];
    const isExpected = isAlive && models.length > 0;
    this.#table.expect(server, isExpected ? { models, trouble } : undefined);
  }

  #remember(name: string, served: readonly ModelNames[]): void {
    if (this.#byName.get(name) === served) return;
    this.#byName.set(name, served);
  }
}
