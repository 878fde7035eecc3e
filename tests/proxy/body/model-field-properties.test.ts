/**
 * Compares the scanner with JSON.parse, on random documents and on damaged ones. If JSON.parse refuses a
 * document, the test derives the expected verdict from its shape: see `expectedByShape`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Verdict } from "../../../src/proxy/body/verdict.ts";
import {
  damaged,
  type Random,
  randomDocument,
  seededRandom,
} from "../../support/client/random-json.ts";
import { cutAt, scanModel } from "../../support/proxy/scan-model.ts";

const NO_MODEL: Verdict = { kind: "missing", reason: "no model" };

const SEED = 20_261_123;
const DOCUMENTS = 100_000;
const TIMEOUT_MS = 60_000; // they take 2 s each

describe("ModelScanner on random documents, cut at random", () => {
  const documents: { readonly bytes: Uint8Array; readonly models: readonly unknown[] }[] = [];

  beforeAll(() => {
    const random = seededRandom(SEED);
    while (documents.length < DOCUMENTS) {
      const { text, entries } = randomDocument(random);
      const models = entries.filter(([key]) => key === "model").map(([, value]) => value);
      documents.push({ bytes: new TextEncoder().encode(text), models });
    }
  }, TIMEOUT_MS);

  test(
    "agrees with JSON.parse(), except that the first of two models wins",
    () => {
      const random = seededRandom(SEED + 1);
      const seen = { found: 0, missing: 0, invalid: 0 };
      for (const [number, { bytes, models }] of documents.entries()) {
        const verdict = scanModel(randomPieces(bytes, random));
        const last = verdictOn(models.slice(-1)); // JSON.parse takes the last one
        if (!same(verdict, verdictOn(models)) || !same(last, byJsonParse(bytes))) {
          fail({ number, body: utf8.decode(bytes), verdict });
        }
        seen[verdict.kind] += 1;
      }
      expect(seen.found).toBeGreaterThan(DOCUMENTS / 3); // otherwise the documents prove nothing
      expect(seen.missing).toBeGreaterThan(DOCUMENTS / 8);
    },
    TIMEOUT_MS,
  );

  test(
    "agrees with JSON.parse() or with the shape, if the documents are damaged",
    () => {
      const random = seededRandom(SEED + 2);
      const seen = { found: 0, missing: 0, invalid: 0, valid: 0 };
      for (const [number, document] of documents.entries()) {
        const bytes = damaged(document.bytes, random);
        const verdict = scanModel(randomPieces(bytes, random));
        const parsed = byJsonParse(bytes);
        const wrong = whatIsWrong(verdict, bytes, parsed);
        if (wrong !== undefined) fail({ number, wrong, body: bytes.toString("latin1"), verdict });
        seen[verdict.kind] += 1;
        if (parsed !== undefined) seen.valid += 1;
      }
      expect(Math.min(...Object.values(seen))).toBeGreaterThan(DOCUMENTS / 20);
    },
    TIMEOUT_MS,
  );
});

/** @param parsed the verdict by JSON.parse */
function whatIsWrong(
  verdict: Verdict,
  bytes: Uint8Array,
  parsed: Verdict | undefined,
): string | undefined {
  const { expected, models } = expectedByShape(bytes);
  if (parsed !== undefined && models < 2 && !same(verdict, parsed)) return "not as JSON.parse()";
  if (verdict.kind !== "invalid") return same(verdict, expected) ? undefined : "not as its shape";
  if (expected !== "invalid") return "refused, though it could be followed";
  return isSensible(verdict, bytes) ? undefined : "not the offset where it goes wrong";
}

/** Before the offset the body is valid but incomplete; or an invalid model string begins there. */
function isSensible({ offset, expected }: Verdict & { kind: "invalid" }, bytes: Uint8Array) {
  const before = bytes.subarray(0, offset);
  if (expected === "a valid JSON string") {
    const model = utf8.decode(bytes.subarray(offset - 1)).match(STRING)?.[0];
    return model?.endsWith('"') === true && parse(model) === undefined;
  }
  const rest = scanModel([before]);
  return offset === 0 ? bytes.length > 0 : rest.kind === "invalid" && rest.offset === offset;
}

/** The verdict by JSON.parse, after a decoder that drops one byte order mark; undefined if JSON.parse refuses. */
function byJsonParse(bytes: Uint8Array): Verdict | undefined {
  const value = parse(utf8.decode(bytes));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return verdictOn(Object.hasOwn(value, "model") ? [Reflect.get(value, "model")] : []);
}

/** A model that is null or empty counts as no model. */
function verdictOn(models: readonly unknown[]): Verdict {
  const named = models.find((model) => model !== null && model !== "");
  if (typeof named === "string") return { kind: "found", model: named };
  if (named !== undefined) return { kind: "missing", reason: "not a string" };
  const last = models.at(-1);
  if (last === undefined) return NO_MODEL;
  return { kind: "missing", reason: last === "" ? "empty" : "null" };
}

/**
 * The expected verdict for any document, valid or not, from its tokens on the top level. The scanner finds a model
 * only if it is a complete and valid string after the first key that means `model` and whose value is not null or
 * empty. Before it must come `{` and then a row of key, colon, value and comma. A nested value extends to the point
 * where as many brackets outside of strings have closed as opened. The verdict "no model" needs such a row that ends
 * in `}`. Every other document is invalid.
 */
function expectedByShape(bytes: Uint8Array): { expected: Verdict | "invalid"; models: number } {
  if (bytes.length === 0) return { expected: { kind: "missing", reason: "no body" }, models: 0 };
  const { shape, texts } = topLevel(utf8.decode(bytes));
  const keys = [...shape.matchAll(/s:/g)].map(({ index }) => index);
  const models = keys.filter((key) => parse(texts[key] ?? "") === "model");
  const whole = /^\{(?:s:[svn](?:,s:[svn])*)?\}/.exec(shape)?.[0];
  const reached = models.filter((key) => /^\{(?:s:[svn],)*$/.test(shape.slice(0, key)));
  const values = reached.map((key) => meantBy(shape[key + 2], texts[key + 2]));
  const end = values.findIndex((value) => value !== null && value !== "");
  if (end === -1) return { expected: whole ? verdictOn(values) : "invalid", models: models.length };
  const expected = values[end] === BROKEN ? "invalid" : verdictOn(values.slice(0, end + 1));
  return { expected, models: models.length };
}

/** A value that the scanner cannot follow, or an invalid string. */
const BROKEN = Symbol("broken");

/** For a value that is not a string, only the first byte counts. */
function meantBy(letter = "", text = ""): unknown {
  if (letter === "v" && text.startsWith("n")) return null;
  if (["v", "n", "N"].includes(letter)) return {};
  return letter === "s" ? (parse(text) ?? BROKEN) : BROKEN;
}

const STRING = /^"(?:[^"\\]|\\[\s\S])*(?:"|\\?$)/;
const COMPLETE = /^"(?:[^"\\]|\\[\s\S])*"$/;
const TOKEN = /"(?:[^"\\]|\\[\s\S])*(?:"|\\?$)|[{}[\]:,]|[^{}[\]:," \t\r\n]+/g;

/**
 * The tokens of the top level, and a letter for each: s is a complete string and S an incomplete one, n and N are
 * the same for a nested value, v is any other value. Punctuation stands for itself.
 */
function topLevel(text: string): { shape: string; texts: string[] } {
  const texts: string[] = [];
  let shape = "";
  let depth = 0;
  for (const token of text.match(TOKEN) ?? []) {
    const level = shape === "" ? 0 : levelOf(token);
    if (depth > 0) {
      depth += level;
      if (depth === 0) shape = `${shape.slice(0, -1)}n`;
      continue;
    }
    shape += level > 0 ? "N" : letterOf(token);
    texts.push(token);
    depth = Math.max(level, 0);
  }
  return { shape, texts };
}

function levelOf(token: string): number {
  if ("{[".includes(token)) return 1;
  return "}]".includes(token) ? -1 : 0;
}

function letterOf(token: string): string {
  if (token.startsWith('"')) return COMPLETE.test(token) ? "s" : "S";
  return "{}[]:,".includes(token) ? token : "v";
}

const utf8 = new TextDecoder();

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function same(one: unknown, other: unknown): boolean {
  return Bun.deepEquals(one, other, true);
}

function fail(what: Record<string, unknown>): never {
  throw new Error(`The scanner is wrong: ${JSON.stringify({ seed: SEED, ...what })}`);
}

function randomPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const positions = Array.from({ length: random(6) }, () => random(bytes.length + 1));
  return cutAt(bytes, ...positions.sort((a, b) => a - b));
}
