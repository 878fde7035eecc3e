/**
 * A fast path: finds the model of a JSON body whose first field is `model`, as many clients send it. It leaves
 * unusual bodies, such as one with an escape, to the scanner (`model-field.ts`), which gives the same result. Pure.
 */
import { QUOTE } from "./json-syntax.ts";

/** One blank may follow the colon. */
const BEGINNING = Buffer.from('{"model":');
const BLANK = 0x20;
const BACKSLASH = 0x5c;
const LAST_OF_ASCII = 0x7e;
/** Real names are shorter. */
const LENGTH_MAX = 128;

/** @returns undefined if the model is not there, is empty, or needs the scanner */
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

/** @returns the position after the opening quote of the model */
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

/** The model of the previous body. Most requests name few models, and comparing costs less than making a string. */
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
