/**
 * Finds the model of a JSON body that begins with it, as many clients write it. Anything out of the ordinary, such as
 * an escape, is left to the scanner (`model-field.ts`), which would say the same. Pure over bytes.
 */
import { QUOTE } from "./json-syntax.ts";

/** With one blank behind the colon, or none. */
const BEGINNING = Buffer.from('{"model":');
const BLANK = 0x20;
const BACKSLASH = 0x5c;
const LAST_OF_ASCII = 0x7e;
/** Longer than names are. */
const LENGTH_MAX = 128;

/** @returns undefined if it is not there, is empty, or is to be looked at more closely */
export function modelAtStart(body: Uint8Array): string | undefined {
  const start = startOfModel(body);
  if (start === undefined) return undefined;
  for (let at = start; at < start + LENGTH_MAX; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) return textIn(body, start, at);
    if (byte === undefined || !isPlain(byte)) return undefined;
  }
  return undefined;
}

/** @returns the position behind the quote that begins the model */
function startOfModel(body: Uint8Array): number | undefined {
  for (let at = 0; at < BEGINNING.length; at += 1) {
    if (body[at] !== BEGINNING[at]) return undefined;
  }
  const at = BEGINNING.length + (body[BEGINNING.length] === BLANK ? 1 : 0);
  return body[at] === QUOTE ? at + 1 : undefined;
}

function isPlain(byte: number): boolean {
  return byte >= BLANK && byte <= LAST_OF_ASCII && byte !== BACKSLASH;
}

/** Of the body before: most requests are for few models, and to compare takes less than to make a text. */
let last = "";

function textIn(body: Uint8Array, start: number, end: number): string | undefined {
  if (start === end) return undefined;
  if (!isLast(body, start, end)) last = ASCII.decode(body.subarray(start, end));
  return last;
}

function isLast(body: Uint8Array, start: number, end: number): boolean {
  if (last.length !== end - start) return false;
  for (let at = start; at < end; at += 1) {
    if (body[at] !== last.charCodeAt(at - start)) return false;
  }
  return true;
}

const ASCII = new TextDecoder("latin1");
