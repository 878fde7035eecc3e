/** Makes random requests and their answers from a seed. */
import type { Random } from "./random-json.ts";

export type Exchange = {
  readonly id: string;
  readonly method: string;
  /** The path after /v1. */
  readonly path: string;
  readonly query: string;
  readonly requestHeaders: readonly (readonly [name: string, value: string])[];
  readonly requestBody: Buffer;
  readonly requestChunks: readonly Buffer[] | undefined;
  readonly status: number;
  readonly answerHeaders: readonly (readonly [name: string, value: string])[];
  readonly answerBody: Buffer;
  readonly answerFraming: "length" | "chunked" | "close";
  /** After how many bytes of its answer's body the backend breaks off, and how. */
  readonly breakOff: { readonly at: number; readonly how: "end" | "reset" } | undefined;
};

/** True in `percent` of 100 cases. */
function chance(random: Random, percent: number): boolean {
  return random(100) < percent;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

function text(random: Random, characters: string, lengthMax: number): string {
  return Array.from({ length: random(lengthMax + 1) }, () => pick(random, [...characters])).join(
    "",
  );
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
/** Characters that RFC 3986 allows in a path. Bun itself encodes a few of the other characters. */
const PATH = `${LETTERS}ABCXYZ-._~!$&'()*+,;=:@`;
const VALUE = `${LETTERS} ~!@#$%^&*()_+-={}[]|:;"'<>,.?/äöüß`;
const ENCODED = ["%20", "%2F", "%2f", "%00", "%C3%A4", "%25", "%e2%82%ac", "%ff"];

function segment(random: Random): string {
  const plain = text(random, PATH, 12).replace(/^\.+/, "x");
  return `x${plain}${chance(random, 30) ? pick(random, ENCODED) : ""}`;
}

function target(random: Random): string {
  return Array.from({ length: 1 + random(4) }, () => `/${segment(random)}`).join("");
}

function queryOf(random: Random): string {
  const roll = random(100);
  if (roll < 40) return "";
  if (roll < 50) return "?";
  return `?${text(random, PATH.replace("'", ""), 30)}${pick(random, ENCODED)}&a=b&a=c`;
}

function headersOf(random: Random): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (let n = random(8); n > 0; n -= 1) {
    headers.push([`X-${text(random, LETTERS, 6)}${n}`, text(random, VALUE, 60).trim()]);
  }
  if (chance(random, 30)) headers.push(["X-Again", "one"], ["X-Again", "two"]);
  if (chance(random, 20))
    headers.push(["Connection", "X-Hop"], ["X-Hop", "1"], ["Keep-Alive", "timeout=9"]);
  if (chance(random, 20)) headers.push(["Proxy-Authorization", "Basic eA=="], ["TE", "trailers"]);
  return headers;
}

/** Mostly small. Sometimes larger than the bodies that the proxy reads as a whole. */
function sizeOf(random: Random): number {
  const roll = random(100);
  if (roll < 10) return 0;
  if (roll < 70) return random(300);
  return roll < 99 ? random(70_000) : random(1_500_000);
}

function bytesOf(random: Random, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  const seed = random(251);
  for (let at = 0; at < size; at += 1) bytes[at] = (seed + at * 31 + (at >> 8)) & 0xff;
  return bytes;
}

function jsonBody(random: Random): Buffer {
  const pad = JSON.stringify(bytesOf(random, sizeOf(random)).toString("latin1"));
  const fields = [`"model":"m"`, `"pad":${pad}`, `"nested":{"model":"decoy"}`];
  const rotated = [...fields.slice(random(3)), ...fields].slice(0, 3);
  return Buffer.from(`{${[...new Set([...rotated, ...fields])].join(",")}}`);
}

function chunksOf(random: Random, body: Buffer): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 1 + random(Math.max(1, Math.floor(body.length / 2)));
    chunks.push(body.subarray(at, end));
    at = end;
  }
  return chunks;
}

const STATUSES = [
  200, 200, 200, 201, 202, 207, 226, 299, 301, 307, 400, 401, 404, 413, 422, 429, 500, 502, 503,
  529, 599,
];

export function randomExchange(random: Random, id: string): Exchange {
  const requestBody = jsonBody(random);
  const answerBody = bytesOf(random, sizeOf(random));
  const answerFraming = pick(random, ["length", "chunked", "chunked", "close"] as const);
  const breaks = chance(random, 20) && answerFraming !== "close" && answerBody.length > 0;
  return {
    id,
    method: pick(random, ["POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    path: target(random),
    query: queryOf(random),
    requestHeaders: headersOf(random),
    requestBody,
    requestChunks: chance(random, 30) ? chunksOf(random, requestBody) : undefined,
    status: pick(random, STATUSES),
    answerHeaders: [
      ...headersOf(random),
      ...(chance(random, 20)
        ? ([
            ["Set-Cookie", "a=1"],
            ["Set-Cookie", "b=2"],
          ] as const)
        : []),
    ],
    answerBody,
    answerFraming,
    breakOff: breaks
      ? { at: random(answerBody.length), how: pick(random, ["end", "reset"]) }
      : undefined,
  };
}
