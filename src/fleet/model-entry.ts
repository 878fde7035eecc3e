/**
 * One entry of a model list: reads the names from an entry of a server, and writes an entry for a server that has no
 * list. Pure. It does not know where in a list an entry is.
 */
import { MODEL_ID_BYTES_MAX } from "../ground/model-limits.ts";
import type { Model } from "../routing/backend.ts";

/** The most aliases that we use from one entry. Real entries have a handful. */
const ALIASES_MAX = 100;

/** How many more names we use from a list. Each becomes a key of the lookup. */
export type NamesLeft = {
  aliasCount: number;
  /** UTF-16 code units of all parents together. Each parent is copied into the name of its adapter. */
  parentLength: number;
};

/** The parsed fields that we read from an entry. */
export type WireEntry = {
  readonly id?: unknown;
  readonly aliases?: unknown;
  readonly parent?: unknown;
};

export function isTooLong(id: string): boolean {
  return Buffer.byteLength(id) > MODEL_ID_BYTES_MAX;
}

/**
 * Reads the other names of a model. Skips a value that can't be a name, without a message: servers put many fields
 * into their entries that are not meant for us.
 *
 * @param left is reduced by the names that we use
 */
export function namesIn(
  { id, aliases, parent }: WireEntry,
  left: NamesLeft,
): Pick<Model, "aliases" | "parent"> {
  const taken = aliasesIn(aliases, id, Math.min(left.aliasCount, ALIASES_MAX));
  left.aliasCount -= taken.length;
  const isAdapter = isName(parent) && parent.length <= left.parentLength;
  if (isAdapter) left.parentLength -= parent.length;
  return { ...(taken.length > 0 && { aliases: taken }), ...(isAdapter && { parent }) };
}

function aliasesIn(aliases: unknown, id: unknown, countMax: number): readonly string[] {
  const taken = new Set<string>();
  if (!Array.isArray(aliases)) return [];
  for (const alias of aliases as readonly unknown[]) {
    if (taken.size >= countMax) break;
    if (isName(alias) && alias !== id) taken.add(alias);
  }
  return [...taken];
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !isTooLong(value);
}

/**
 * A model with an entry that we write. It has the fields that OpenAI's clients declare as required. A `created` of 0
 * means unknown.
 */
export function modelWithoutEntry(id: string, owner: string): Model {
  return { id, json: JSON.stringify({ id, object: "model", created: 0, owned_by: owner }) };
}
