/**
 * The facts that a whole, valid JSON body has besides its model, read in the simplest way: all in memory, one
 * character after the other, each value separately. Tests compare the scanner with it.
 */
import type { Noted } from "./scan-model.ts";

type Entry = {
  readonly key: string;
  readonly value: unknown;
  /** As written in the body. Each byte is one character. */
  readonly text: string;
};

/** `model` is the model's name, or the value in its place that names no model. */
export type Plain = Noted & { readonly model: unknown };

/** @returns the notes after the whole body was read */
export function plainNotes(body: Uint8Array): Plain {
  const all = entriesOf(body);
  const at = all.findIndex(({ key, value }) => key === "model" && value !== null && value !== "");
  const model = all[at]?.value;
  // A value that names no model ends the search.
  const entries = at === -1 || typeof model === "string" ? all : all.slice(0, at);
  const valuesOf = (...keys: readonly string[]): readonly unknown[] =>
    entries.filter(({ key }) => keys.includes(key)).map(({ value }) => value);
  const prompt = entries.find(
    ({ key, value }) => ["messages", "input", "prompt"].includes(key) && isText(value),
  );
  return {
    model,
    prompt: prompt?.text,
    isPromptOpen: false,
    previousResponseId: previousResponseIdIn(entries),
    hasConversation: valuesOf("conversation").some((value) => value !== null),
    isBackground: valuesOf("background").some((value) => value !== null && value !== false),
    isComplete: entries === all,
  };
}

function isText(value: unknown): boolean {
  return typeof value === "string" || (typeof value === "object" && value !== null);
}

/** Ids of more than 256 bytes, as written, do not count. */
function previousResponseIdIn(entries: readonly Entry[]): string | undefined {
  const found = entries.find(
    ({ key, value, text }) =>
      key === "previous_response_id" &&
      typeof value === "string" &&
      value !== "" &&
      text.length <= 256 + '""'.length,
  );
  return found === undefined ? undefined : String(found.value);
}

function entriesOf(body: Uint8Array): Entry[] {
  const text = Buffer.from(body).toString("latin1");
  const entries: Entry[] = [];
  let at = behindSpace(text, text.startsWith("\xef\xbb\xbf") ? 3 : 0) + 1; // after the brace
  for (;;) {
    at = behindSpace(text, at);
    if (text[at] === "}") return entries;
    const keyEnd = valueEnd(text, at);
    const key = parse(text.slice(at, keyEnd));
    const start = behindSpace(text, behindSpace(text, keyEnd) + 1); // after the colon
    const end = valueEnd(text, start);
    const written = text.slice(start, end);
    entries.push({ key: String(key), value: parse(written), text: written });
    at = behindSpace(text, end);
    if (text[at] === ",") at += 1;
  }
}

function behindSpace(text: string, start: number): number {
  let at = start;
  while (" \t\r\n".includes(text[at] ?? "x")) at += 1;
  return at;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^ \t\r\n,\]}]+/y;

function valueEnd(text: string, start: number): number {
  const first = text[start] ?? "";
  if (first === '"') return endOf(STRING, text, start);
  if (!"[{".includes(first)) return endOf(SCALAR, text, start);
  let at = start + 1;
  for (let depth = 1; depth > 0; ) {
    const character = text[at] ?? "";
    if ("[{".includes(character)) depth += 1;
    if ("]}".includes(character)) depth -= 1;
    at = character === '"' ? endOf(STRING, text, at) : at + 1;
  }
  return at;
}

function endOf(what: RegExp, text: string, start: number): number {
  what.lastIndex = start;
  if (!what.test(text)) throw new Error(`There is no ${what} at ${start} of ${text}`);
  return what.lastIndex;
}

function parse(latin1: string): unknown {
  return JSON.parse(Buffer.from(latin1, "latin1").toString());
}
