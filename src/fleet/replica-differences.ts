/**
 * Finds the differences between the model lists of two replicas, for the models that both serve. Pure. The servers
 * wrote the entries, so these may be hostile: for any entry the work is bounded and nothing here throws.
 */
import { type Extent, type Member, members } from "../ground/json-text.ts";
import { quoted } from "../ground/printable.ts";
import { cut } from "../ground/some-of.ts";
import type { Backend, Model } from "../routing/backend.ts";
import { compare, keyOf } from "../routing/run.ts";
import { modelWithoutEntry } from "./model-entry.ts";

/** One field that two servers report differently for one model. */
type Difference = {
  readonly modelId: string;
  /** Its name in the entry: `max_model_len`, `meta.size`. */
  readonly field: string;
  /** In the order of `Differences.servers`. */
  readonly values: readonly [Value, Value];
};

export type Differences = {
  /** The two servers, sorted by key: the order does not depend on which one is newer. */
  readonly servers: readonly [Backend, Backend];
  readonly all: readonly Difference[];
};

type Value = string | number | boolean;
type Facts = ReadonlyMap<string, Value>;

/** Fields that change the answers, or that show another kind of server or another file (vLLM, SGLang). */
const FIELDS = new Set(["max_model_len", "owned_by", "quantization"]);
/** Only these two fields of `meta` in an entry of llama.cpp show the quantization of its file. */
const META = "meta";
const META_FIELDS = new Set(["size", "n_params"]);

/** The longest entry that we compare, UTF-16 code units. Real entries have some hundreds. */
const ENTRY_LENGTH_MAX = 16 * 1024;
/** The most members of one object that we read. Real objects have about ten. */
const MEMBERS_MAX = 100;
/** The longest written value that we compare. A length or a name is shorter. */
const VALUE_LENGTH_MAX = 1_024;
/** How much of two lists we compare: the entries of hundreds of models, read within a few ms. */
const LISTS_LENGTH_MAX = 512 * 1024;

const NOTHING: Facts = new Map();

/** The facts of each entry, kept while the entry is in a list. */
const READ = new WeakMap<Model, Facts>();

export function differencesBetween(one: Backend, other: Backend): Differences {
  const inOrder = compare(keyOf(one.run), keyOf(other.run)) < 0;
  const [first, second] = inOrder ? [one, other] : [other, one];
  const entries = new Map(second.models.map((model) => [model.id, model]));
  const all: Difference[] = [];
  let lengthLeft = LISTS_LENGTH_MAX;
  for (const model of first.models) {
    const same = entries.get(model.id);
    if (same === undefined || isTooLong(model) || isTooLong(same)) continue;
    lengthLeft -= model.json.length + same.json.length;
    if (lengthLeft < 0) break;
    if (model.json !== same.json) all.push(...differencesOf(model, same));
  }
  return { servers: [first, second], all };
}

function isTooLong({ json }: Model): boolean {
  return json.length > ENTRY_LENGTH_MAX;
}

/** A field that only one server reports is no difference. */
function differencesOf(one: Model, other: Model): readonly Difference[] {
  const others = factsOf(other);
  return [...factsOf(one)].flatMap(([field, value]) => {
    const otherValue = others.get(field);
    if (otherValue === undefined || otherValue === value) return [];
    return [{ modelId: one.id, field, values: [value, otherValue] as const }];
  });
}

function factsOf(model: Model): Facts {
  return READ.getOrInsertComputed(model, readFacts);
}

function readFacts({ id, json }: Model): Facts {
  const facts = new Map<string, Value>();
  try {
    for (const { key, value } of firstMembers(json, 0)) {
      if (FIELDS.has(key)) note(facts, key, written(json, value));
      if (key === META && json[value.start] === "{") readMeta(facts, json, value.start);
    }
  } catch {
    return NOTHING; // not JSON
  }
  return isOurs(id, json, facts.get("owned_by")) ? NOTHING : facts;
}

function readMeta(facts: Map<string, Value>, json: string, start: number): void {
  for (const { key, value } of firstMembers(json, start)) {
    if (META_FIELDS.has(key)) note(facts, `${META}.${key}`, written(json, value));
  }
}

/** We wrote this entry for a server that we do not ask for its list. Its owner is the name of the container. */
function isOurs(id: string, json: string, owner: Value | undefined): boolean {
  return typeof owner === "string" && modelWithoutEntry(id, owner).json === json;
}

function* firstMembers(json: string, start: number): Generator<Member> {
  let count = 0;
  for (const member of members(json, start)) {
    if (member === undefined) continue;
    yield member;
    count += 1;
    if (count >= MEMBERS_MAX) return;
  }
}

function written(json: string, { start, end }: Extent): string {
  return end - start > VALUE_LENGTH_MAX ? "null" : json.slice(start, end);
}

/** If a key occurs twice, the last one counts, as in JSON.parse. */
function note(facts: Map<string, Value>, field: string, text: string): void {
  const value: unknown = JSON.parse(text);
  if (isValue(value)) facts.set(field, value);
  else facts.delete(field);
}

function isValue(value: unknown): value is Value {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** The most models in the text, and the longest name or value. */
const SHOWN_MAX = 3;
const SHOWN_LENGTH_MAX = 60;

/** Describes the differences for operators. Short for any number of models and any length of names. */
export function differencesText({ servers, all }: Differences): string {
  const names = servers.map(({ name }) => cut(name, SHOWN_LENGTH_MAX));
  const byModel = [...Map.groupBy(all, ({ modelId }) => modelId)];
  const texts = byModel.slice(0, SHOWN_MAX).map(([modelId, differences]) => {
    const fields = differences.map(({ field, values }) => {
      const [first, second] = values.map((value, index) => `${shown(value)} on ${names[index]}`);
      return `${field} is ${first} and ${second}`;
    });
    return `model ${cut(modelId, SHOWN_LENGTH_MAX)}: ${fields.join(", ")}`;
  });
  const more = byModel.length - SHOWN_MAX;
  return [...texts, ...(more > 0 ? [`and ${more} more models`] : [])].join("; ");
}

function shown(value: Value): string {
  return typeof value === "string" ? quoted(value, SHOWN_LENGTH_MAX) : String(value);
}
