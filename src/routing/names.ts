/**
 * The names by which requests may ask for a model, and which name counts first. Pure. Names are case-sensitive.
 */
import type { Model } from "./backend.ts";

/** The fields of a model that its names depend on. */
export type ModelNames = Pick<Model, "id" | "aliases" | "parent">;

/** Copies the names without the entry, which may be long and would stay in memory. */
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

/** Says whether two lists have the same ids, in any order. No list has an id twice. */
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

/** Ollama accepts `llama3.2` as a name of `llama3.2:latest`, and of no other tag. */
function untagged(id: string): string | undefined {
  if (!id.endsWith(LATEST) || id.length === LATEST.length) return undefined;
  const name = id.slice(0, -LATEST.length);
  // A colon before the last slash belongs to a port: `host:5000/library/model`.
  return name.includes(":", name.lastIndexOf("/") + 1) ? undefined : name;
}

/**
 * A map from names to values. Four rules give a model its names: its id, its aliases, its id without `:latest`,
 * and `parent:id` if it is an adapter (SGLang). A later rule counts only if no model has the name by an earlier
 * rule.
 */
export class NameMap<T> {
  readonly #ids = new Map<string, T>();
  readonly #aliases = new Map<string, T>();
  readonly #untagged = new Map<string, T>();
  readonly #adapters = new Map<string, T>();

  /** @param put returns the new value of a name, given its present value */
  add({ id, aliases, parent }: ModelNames, put: (known: T | undefined) => T): void {
    set(this.#ids, id, put);
    if (aliases !== undefined) for (const alias of aliases) set(this.#aliases, alias, put);
    const short = untagged(id);
    if (short !== undefined) set(this.#untagged, short, put);
    if (parent !== undefined) set(this.#adapters, `${parent}:${id}`, put);
  }

  /** The value of the name by each rule, in the order of the rules. */
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

  /** The values of all ids, in the order of insertion. */
  get ofIds(): readonly T[] {
    return [...this.#ids.values()];
  }
}

function set<T>(map: Map<string, T>, name: string, put: (known: T | undefined) => T): void {
  map.set(name, put(map.get(name)));
}
