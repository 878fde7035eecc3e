/**
 * Parses the text of a model list into models. Each model keeps its JSON object as the server wrote
 * it. The text may be hostile: no text can block the event loop for longer than about 50 ms. This
 * file does not fetch anything.
 */
import { afterSpace, type Extent, elements, members } from "../ground/json-text.ts";
import { MODELS_MAX } from "../ground/model-limits.ts";
import { cut } from "../ground/some-of.ts";
import { Turn } from "../ground/turn.ts";
import type { Model } from "../routing/backend.ts";
import { isTooLong, modelWithoutEntry, namesIn, type WireEntry } from "./model-entry.ts";
import { ModelsUnreadable, notJsonReason } from "./models-failure.ts";

/** The result of one read. */
export type ModelList = {
  readonly models: readonly Model[];
  /** Which entries are missing in `models`, and why, in words. Undefined if none is missing. */
  readonly leftOut?: string | undefined;
};

/** The list of a server that we do not ask, because its label names its models. */
export function namedList(ids: readonly string[], owner: string): ModelList {
  return { models: ids.map((id) => modelWithoutEntry(id, owner)) };
}

/**
 * The deepest nesting of an entry. Parsers of clients give up at about 1,000 levels (Python). Real
 * entries have three levels.
 */
const DEPTH_MAX = 100;
/** The most values in one entry. Real entries have about 30. JSON.parse takes up to 0.6 µs for each. */
const VALUES_MAX = 50_000;
/** The most names that we use from one list. Real lists have a handful of aliases, and adapters of one model. */
const NAMES_MAX = { aliasCount: 10_000, parentLength: 1024 * 1024 };

/**
 * @throws {ModelsUnreadable} if the text is no list of models
 * @throws the reason of the signal, if the signal is aborted
 */
export async function parseModels(text: string, signal: AbortSignal): Promise<ModelList> {
  const turn = new Turn();
  const entries = new Entries(text);
  try {
    const isBare = text[afterSpace(text, 0)] === "[";
    const start = isBare ? afterSpace(text, 0) : await findList(text, turn, signal);
    if (start === undefined) return { models: [] };
    const list = elements(text, start);
    let next = list.next();
    for (; next.done !== true; next = list.next()) {
      if (next.value !== undefined) entries.take(next.value);
      if (turn.isOver) await nextTurn(turn, signal);
    }
    if (isBare) refuseMore(text, next.value);
  } catch (error) {
    throw error instanceof SyntaxError ? new ModelsUnreadable(notJsonReason(text)) : error;
  }
  return entries.list;
}

/**
 * @returns the index in the text where the list in `data` begins; undefined if `data` is `null`, as an Ollama without
 *   models answers
 */
async function findList(
  text: string,
  turn: Turn,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (isScalar(text)) throw new ModelsUnreadable(NO_LIST);
  const begin = afterSpace(text, 0);
  if (text[begin] !== "{") throw new SyntaxError("no object");
  const object = members(text, begin);
  let data: Extent | undefined;
  let next = object.next();
  for (; next.done !== true; next = object.next()) {
    if (next.value?.key === "data") data = next.value.value;
    if (turn.isOver) await nextTurn(turn, signal);
  }
  refuseMore(text, next.value);
  if (data === undefined) throw new ModelsUnreadable(NO_LIST);
  const { start, end } = data;
  if (text[start] === "[") return start;
  if (end - start === NULL.length && text.startsWith(NULL, start)) return undefined;
  throw new ModelsUnreadable(NO_LIST);
}

const NULL = "null";

/** @throws {SyntaxError} if anything but white space follows the value that ends at `end` */
function refuseMore(text: string, end: number): void {
  if (afterSpace(text, end) < text.length) throw new SyntaxError("more than one value");
}

const SCALAR_LENGTH_MAX = 1024;

function isScalar(text: string): boolean {
  if (text.length > SCALAR_LENGTH_MAX) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value !== "object" || value === null;
  } catch {
    return false;
  }
}

class Entries {
  readonly #text: string;
  readonly #models = new Map<string, Model>();
  #count = 0;
  readonly #namesLeft = { ...NAMES_MAX };
  #leftOutCount = 0;
  /** How many entries have no id. */
  #namelessCount = 0;
  /** Why the first missing entry was left out. */
  #leftOutReason = "";

  constructor(text: string) {
    this.#text = text;
  }

  /** @throws {SyntaxError} if the entry is not JSON */
  take(entry: Extent): void {
    this.#count += 1;
    if (this.#count > MODELS_MAX) return; // we only count the rest
    if (this.#text[entry.start] !== "{") {
      this.#leaveOutNameless();
      return;
    }
    const excess = excessOf(entry);
    if (excess === undefined) this.#add(this.#text.slice(entry.start, entry.end));
    else this.#leaveOut(idIn(this.#text, entry), excess);
  }

  #add(written: string): void {
    const entry = JSON.parse(written) as WireEntry;
    const { id } = entry;
    if (typeof id !== "string" || id === "") this.#leaveOutNameless();
    else if (isTooLong(id)) this.#leaveOut(id, "has an id over 64 KiB");
    else if (!this.#models.has(id)) {
      this.#models.set(id, { id, json: copied(written), ...namesIn(entry, this.#namesLeft) });
    }
  }

  /** @throws {ModelsUnreadable} if the list has too many models, or if no entry has an id */
  get list(): ModelList {
    if (this.#count > MODELS_MAX) {
      throw new ModelsUnreadable(
        `the answer lists ${this.#count} models; the proxy can route at most ${MODELS_MAX}`,
      );
    }
    // This is a list of something other than models. It must not count as an empty model list.
    if (this.#count > 0 && this.#namelessCount === this.#count) throw new ModelsUnreadable(NO_LIST);
    const models = [...this.#models.values()];
    if (this.#leftOutCount === 0) return { models };
    const count = this.#leftOutCount;
    const entries = count > 1 ? `${count} entries` : "1 entry";
    const first = count > 1 ? ", for example" : "";
    const leftOut = `the proxy left out ${entries} of its model list${first}: ${this.#leftOutReason}`;
    return { models, leftOut };
  }

  #leaveOutNameless(): void {
    this.#namelessCount += 1;
    this.#leaveOut(undefined, "has no id");
  }

  #leaveOut(id: string | undefined, reason: string): void {
    this.#leftOutCount += 1;
    if (this.#leftOutCount > 1) return;
    const name = id === undefined ? `number ${this.#count}` : quote(id);
    this.#leftOutReason = `model ${name} ${reason}`;
  }
}

function excessOf({ depth, values }: Extent): string | undefined {
  if (depth > DEPTH_MAX) return `is nested more than ${DEPTH_MAX} levels deep`;
  return values > VALUES_MAX ? `has more than ${VALUES_MAX} values` : undefined;
}

/** Finds the id of an entry that is too large for JSON.parse. */
function idIn(text: string, { start }: Extent): string | undefined {
  for (const member of members(text, start)) {
    if (member?.key !== "id") continue;
    const written = text.slice(member.value.start, member.value.end);
    return written.startsWith('"') ? (JSON.parse(written) as string) : undefined;
  }
  return undefined;
}

const QUOTED_LENGTH_MAX = 60;

function quote(id: string): string {
  return JSON.stringify(cut(id, QUOTED_LENGTH_MAX));
}

/** Copies a part of a text. A slice would keep the whole text in memory. */
function copied(part: string): string {
  return Buffer.from(part).toString();
}

/**
 * Lets other work run.
 *
 * @throws the reason of the signal, if the signal was aborted meanwhile
 */
async function nextTurn(turn: Turn, signal: AbortSignal): Promise<void> {
  await turn.next();
  signal.throwIfAborted();
}

const NO_LIST =
  'the answer has no list "data" of objects with an "id": set the label inference.port to the port of its API';
