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
        Bun.deepEquals(one.aliases ?? [], other.aliases ?? [])
      );
    })
  );
}

/**
 * The rules by which a model has names. A later rule counts only where no model has the name by an earlier
 * one.
 */
const RULES: readonly ((model: ModelNames) => readonly string[])[] = [
  ({ id }) => [id],
  ({ aliases }) => aliases ?? NONE,
  ({ id }) => untagged(id),
  // SGLang takes requests for an adapter by this name.
  ({ id, parent }) => (parent === undefined ? NONE : [`${parent}:${id}`]),
];

const NONE: readonly string[] = [];
const LATEST = ":latest";

/** Ollama takes `llama3.2` for `llama3.2:latest`, and never for another tag. */
function untagged(id: string): readonly string[] {
  if (!id.endsWith(LATEST) || id.length === LATEST.length) return NONE;
  const name = id.slice(0, -LATEST.length);
  // A colon before the last slash is that of a port: `host:5000/library/model`.
  return name.includes(":", name.lastIndexOf("/") + 1) ? NONE : [name];
}

/** What is known under each name, by each rule. */
export class NameMap<T> {
  readonly #byRule = RULES.map(() => new Map<string, T>());

  /** @param put makes what is kept of a name out of what is kept of it so far */
  add(model: ModelNames, put: (known: T | undefined) => T): void {
    for (const [rule, names] of RULES.entries()) {
      const map = this.#byRule[rule];
      for (const name of names(model)) map?.set(name, put(map.get(name)));
    }
  }

  /** By each rule what is kept of the name: the first that counts comes first. */
  ofName(name: string): readonly (T | undefined)[] {
    return this.#byRule.map((map) => map.get(name));
  }

  ofId(id: string): T | undefined {
    return this.#byRule[0]?.get(id);
  }

  /** What is kept of all ids, in the order in which they came. */
  get ofIds(): readonly T[] {
    return [...(this.#byRule[0]?.values() ?? [])];
  }
}
