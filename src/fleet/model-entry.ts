/**
 * One entry of a model list: which names are taken out of an entry that a server wrote, and the entry that
 * we write for a server that lists none. Pure. It does not know where in a list an entry is.
 */
import { MODEL_ID_BYTES_MAX } from "../ground/model-limits.ts";
import type { Model } from "../routing/backend.ts";

/** The most aliases of one entry that we take. Real entries have a handful. */
const ALIASES_MAX = 100;

/** How many names of a list may still be taken. Each becomes a name by which models are looked up. */
export type NamesLeft = {
  aliasCount: number;
  /** UTF-16 code units of all parents together: each is written once more for its adapter's name. */
  parentLength: number;
};

/** What JSON.parse makes of an entry, as far as we read it. */
export type WireEntry = {
  readonly id?: unknown;
  readonly aliases?: unknown;
  readonly parent?: unknown;
};

export function isTooLong(id: string): boolean {
  return Buffer.byteLength(id) > MODEL_ID_BYTES_MAX;
}

/**
 * Reads the other names of a model. A value that can't be such a name is left out without a word: servers
 * put much into their entries that is not meant for us.
 *
 * @param left is counted down by what is taken
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
 * A model with an entry of our own. It has the fields that OpenAI's clients declare as always present; a
 * time of 0 means unknown.
 */
export function modelWithoutEntry(id: string, owner: string): Model {
  return { id, json: JSON.stringify({ id, object: "model", created: 0, owned_by: owner }) };
}
