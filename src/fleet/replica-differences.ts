/**
 * What the model lists of two replicas say differently of the models that both serve. Pure. The entries are as
 * the servers wrote them and may be hostile: whatever they are, the work is bounded and nothing here throws.
 */
import { type Extent, type Member, members } from "../ground/json-text.ts";
import { quoted } from "../ground/printable.ts";
import { cut } from "../ground/some-of.ts";
import type { Backend, Model } from "../routing/backend.ts";
import { compare, keyOf } from "../routing/run.ts";
import { modelWithoutEntry } from "./model-entry.ts";

/** One thing that two servers say differently of one model. */
type Difference = {
  readonly modelId: string;
  /** Its name in the entry: `max_model_len`, `meta.size`. */
  readonly field: string;
  /** By the server that comes first, see `Differences`; then by the other one. */
  readonly values: readonly [Value, Value];
};

export type Differences = {
  /** The two servers, always in the same order whichever is the newer one. */
  readonly servers: readonly [Backend, Backend];
  readonly all: readonly Difference[];
};

type Value = string | number | boolean;
type Facts = ReadonlyMap<string, Value>;

/** What changes an answer, or tells that another server or another file answers (vLLM, SGLang). */
const FIELDS = new Set(["max_model_len", "owned_by", "quantization"]);
/** llama.cpp tells the quantization of its file only by these two, in the object `meta` of an entry. */
const META = "meta";
const META_FIELDS = new Set(["size", "n_params"]);

/** The longest entry that is looked at, UTF-16 code units. Real ones have some hundreds. */
const ENTRY_LENGTH_MAX = 16 * 1024;
/** How many members of one object are looked at. Real ones have some ten. */
const MEMBERS_MAX = 100;
/** The longest value, as it is written, that is compared. A longer one is neither a length nor a name. */
const VALUE_LENGTH_MAX = 1_024;
/** How much of two lists is compared: the entries of hundreds of models, read in some ms. */
const LISTS_LENGTH_MAX = 512 * 1024;

const NOTHING: Facts = new Map();

/** What was read of an entry, for as long as the entry is in a list. */
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

/** What only one of them tells is no difference. */
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
    return NOTHING; // no JSON: whoever wrote it tells nothing
  }
  return isOurs(id, json, facts.get("owned_by")) ? NOTHING : facts;
}

function readMeta(facts: Map<string, Value>, json: string, start: number): void {
  for (const { key, value } of firstMembers(json, start)) {
    if (META_FIELDS.has(key)) note(facts, `${META}.${key}`, written(json, value));
  }
}

/** An entry of our own, for a server that is not asked for its list, tells the name of its container alone. */
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

/** A key may come twice: as for JSON.parse, the last one counts. */
function note(facts: Map<string, Value>, field: string, text: string): void {
  const value: unknown = JSON.parse(text);
  if (isValue(value)) facts.set(field, value);
  else facts.delete(field);
}

function isValue(value: unknown): value is Value {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** How many models, and how long a name or a value, the text has. */
const SHOWN_MAX = 3;
const SHOWN_LENGTH_MAX = 60;

/** Says it in words for people: short, however many models differ and however long their names are. */
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
