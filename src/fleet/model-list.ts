/**
 * The text of a list of models → its models, each with its object as it is written there. Whoever wrote
 * it may mean harm: nothing here takes the event loop for longer than some 50 ms, whatever the text is.
 */
import { afterSpace, type Extent, elements, members } from "../ground/json-text.ts";
import { cut } from "../ground/some-of.ts";
import { Turn } from "../ground/turn.ts";
import type { Model } from "../routing/backend.ts";
import { ModelsUnreadable, notJsonReason } from "./models-failure.ts";

/** What came of one read. */
export type ModelList = {
  readonly models: readonly Model[];
  /** What of the list is no model of these, and why, in words; undefined: nothing. */
  readonly leftOut?: string | undefined;
};

/**
 * Each is checked, and is an entry of the routing table; the longest lists there are have hundreds.
 * Without it, a list as long as the bytes allow held up everything for 4.5 s (measured).
 */
const MODELS_MAX = 10_000;
/** Parsers of clients give up at some 1,000 levels (Python's); real entries have three. */
const DEPTH_MAX = 100;
/** In one entry: real ones have some 30, and JSON.parse takes up to 0.6 µs for each. */
const VALUES_MAX = 50_000;
/** A request can't ask for a longer one. */
const ID_BYTES_MAX = 64 * 1024;

/** @throws {ModelsUnreadable} if it is no list of models; or the signal's reason */
export async function parseModels(text: string, signal: AbortSignal): Promise<ModelList> {
  const turn = new Turn();
  const entries = new Entries(text);
  try {
    const start = await findList(text, turn, signal);
    for (const entry of elements(text, start)) {
      if (entry !== undefined) entries.take(entry);
      if (turn.isOver) await nextTurn(turn, signal);
    }
  } catch (error) {
    throw error instanceof SyntaxError ? new ModelsUnreadable(notJsonReason(text)) : error;
  }
  return entries.list;
}

/** @returns where the list at `data` begins */
async function findList(text: string, turn: Turn, signal: AbortSignal): Promise<number> {
  const begin = afterSpace(text, 0);
  if (text[begin] === "[" || isScalar(text)) throw new ModelsUnreadable(NO_LIST);
  if (text[begin] !== "{") throw new SyntaxError("no object");
  const object = members(text, begin);
  let start: number | undefined;
  let next = object.next();
  for (; next.done !== true; next = object.next()) {
    if (next.value?.key === "data") start = next.value.value.start;
    if (turn.isOver) await nextTurn(turn, signal);
  }
  if (afterSpace(text, next.value) < text.length) throw new SyntaxError("more than an object");
  if (start === undefined || text[start] !== "[") throw new ModelsUnreadable(NO_LIST);
  return start;
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
  #leftOutCount = 0;
  /** Of the first that was left out. */
  #leftOutReason = "";

  constructor(text: string) {
    this.#text = text;
  }

  /** @throws {ModelsUnreadable | SyntaxError} if it can't be of a list of models */
  take(entry: Extent): void {
    this.#count += 1;
    if (this.#count > MODELS_MAX) return; // only counted
    if (this.#text[entry.start] !== "{") throw new ModelsUnreadable(NO_LIST);
    const excess = excessOf(entry);
    if (excess === undefined) this.#add(this.#text.slice(entry.start, entry.end));
    else this.#leaveOut(idIn(this.#text, entry), excess);
  }

  #add(written: string): void {
    const { id } = JSON.parse(written) as { readonly id?: unknown };
    if (typeof id !== "string") throw new ModelsUnreadable(NO_LIST);
    if (id === "" || this.#models.has(id)) return;
    if (Buffer.byteLength(id) <= ID_BYTES_MAX) {
      this.#models.set(id, { id, json: copied(written) });
    } else this.#leaveOut(id, "has an id over 64 KiB");
  }

  /** @throws {ModelsUnreadable} if there are too many */
  get list(): ModelList {
    if (this.#count > MODELS_MAX) {
      throw new ModelsUnreadable(
        `the answer lists ${this.#count} models, of which ${MODELS_MAX} can be routed`,
      );
    }
    const models = [...this.#models.values()];
    if (this.#leftOutCount === 0) return { models };
    const many = this.#leftOutCount > 1;
    const count = many ? `${this.#leftOutCount} entries` : "1 entry";
    const first = many ? ", the first" : "";
    const leftOut = `${count} of its list ${many ? "were" : "was"} left out${first}: ${this.#leftOutReason}`;
    return { models, leftOut };
  }

  #leaveOut(id: string | undefined, why: string): void {
    this.#leftOutCount += 1;
    if (this.#leftOutCount > 1) return;
    const name = id === undefined ? `number ${this.#count}` : quote(id);
    this.#leftOutReason = `model ${name} ${why}`;
  }
}

function excessOf({ depth, values }: Extent): string | undefined {
  if (depth > DEPTH_MAX) return `is nested more than ${DEPTH_MAX} levels deep`;
  return values > VALUES_MAX ? `has more than ${VALUES_MAX} values` : undefined;
}

/** The id of an entry that is too much for JSON.parse. */
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

/** A part of a text keeps all of the text in memory: this is the same without it. */
function copied(part: string): string {
  return Buffer.from(part).toString();
}

/** @throws the signal's reason, if it was aborted meanwhile */
async function nextTurn(turn: Turn, signal: AbortSignal): Promise<void> {
  await turn.next();
  signal.throwIfAborted();
}

const NO_LIST =
  'the answer has no list "data" of objects with an "id": is it the API that the label inference.port names?';
