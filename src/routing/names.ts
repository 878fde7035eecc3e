/**
 * The names by which requests may ask for a model, and which of them counts first. Pure. Ids are compared
 * as they are written: nothing folds their case.
 */
import type { Model } from "./backend.ts";

/** A model without its entry: all that its names depend on. */
export type ModelNames = Pick<Model, "id" | "aliases" | "parent">;

/** Lets go of the entry, which may be long. */
export function namesOf({ id, aliases, parent }: Model): ModelNames {
  return { id, ...(aliases && { aliases }), ...(parent !== undefined && { parent }) };
}

/** Says whether requests can ask for two lists of models by the same names. */
export function sameNames(some: readonly ModelNames[], others: readonly ModelNames[]): boolean {
  return (
    some.length === others.length &&
    some.every((one, index) => {
      const other = others[index];
      return (
        one.id === other?.id &&
        one.parent === other.parent &&
        (one.aliases === other.aliases || Bun.deepEquals(one.aliases ?? [], other.aliases ?? []))
      );
    })
  );
}

/** Says whether two lists have the same ids, in whatever order. No list has an id twice. */
export function sameIds(some: readonly Model[], others: readonly Model[]): boolean {
  if (some.length !== others.length) return false;
  const ids = new Set(others.map(({ id }) => id));
  return some.every(({ id }) => ids.has(id));
}

/** Says whether two lists that have the same ids are equal, order included. */
export function sameEntries(some: readonly Model[], others: readonly Model[]): boolean {
  return some.every(({ json }, index) => json === others[index]?.json);
}

const LATEST = ":latest";

/** Ollama takes `llama3.2` for `llama3.2:latest`, and never for another tag. */
function untagged(id: string): string | undefined {
  if (!id.endsWith(LATEST) || id.length === LATEST.length) return undefined;
  const name = id.slice(0, -LATEST.length);
  // A colon before the last slash is that of a port: `host:5000/library/model`.
  return name.includes(":", name.lastIndexOf("/") + 1) ? undefined : name;
}

/**
 * What is known under each name. There are four rules by which a model has names: its id, its aliases, its id
 * without `:latest`, and `parent:id` if it is an adapter (SGLang). A later rule counts only where no model has
 * the name by an earlier one.
 */
export class NameMap<T> {
  readonly #ids = new Map<string, T>();
  readonly #aliases = new Map<string, T>();
  readonly #untagged = new Map<string, T>();
  readonly #adapters = new Map<string, T>();

  /** @param put makes what is kept of a name out of what is kept of it so far */
  add({ id, aliases, parent }: ModelNames, put: (known: T | undefined) => T): void {
    set(this.#ids, id, put);
    if (aliases !== undefined) for (const alias of aliases) set(this.#aliases, alias, put);
    const short = untagged(id);
    if (short !== undefined) set(this.#untagged, short, put);
    if (parent !== undefined) set(this.#adapters, `${parent}:${id}`, put);
  }

  /** By each rule what is kept of the name: the first that counts comes first. */
  ofName(name: string): readonly (T | undefined)[] {
    return [
      this.#ids.get(name),
      this.#aliases.get(name),
      this.#untagged.get(name),
      this.#adapters.get(name),
    ];
  }

  ofId(id: string): T | undefined {
    return this.#ids.get(id);
  }

  /** What is kept of all ids, in the order in which they came. */
  get ofIds(): readonly T[] {
    return [...this.#ids.values()];
  }
}

function set<T>(map: Map<string, T>, name: string, put: (known: T | undefined) => T): void {
  map.set(name, put(map.get(name)));
}
