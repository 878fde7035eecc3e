/** Makes random JSON from a seed. The same seed makes the same documents, so that a failure can be repeated. */

/** @returns an integer from 0 to `below` − 1 */
export type Random = (below: number) => number;

export type RandomDocument = {
  /** The entries of the top-level object, in the order of the text. `model` may occur several times. */
  readonly entries: readonly (readonly [key: string, value: unknown])[];
  readonly text: string;
};

/** Mulberry32: small, and good enough to choose test data. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/**
 * A random object, often with one or two `model` keys, in one of many spellings.
 *
 * @param others other keys than the model
 */
export function randomDocument(random: Random, others: readonly string[] = KEYS): RandomDocument {
  const keys = Array.from({ length: random(4) }, () => pick(random, others));
  const entries = keys.map((key): [string, unknown] => [key, randomValue(random, 2)]);
  for (let models = [0, 1, 1, 1, 2][random(5)]!; models > 0; models -= 1) {
    const value = random(4) > 0 ? randomString(random) : randomValue(random, 2);
    entries.splice(random(entries.length + 1), 0, ["model", value]);
  }
  const mark = random(20) === 0 ? "\uFEFF" : "";
  return { entries, text: mark + renderSpaced(renderObject(entries, random), random) };
}

const KEYS = [
  "messages",
  "mode",
  "models",
  "Model",
  "stream",
  "mödel",
  "",
  'mo"del',
  "\\",
] as const;
const STRINGS = [
  '","model":"decoy',
  "model",
  "\\",
  '\\"',
  "}]",
  "{[",
  "é",
  "😀",
  "\u0001\n",
  "/",
  "a b",
  "\u2028\u007f",
  "\ud83d",
  "\udc00x",
  "日本語",
  "\uFEFF",
  '"'.repeat(5),
  "\\".repeat(7),
  "far longer than a byte loop goes ",
  `${"\\".repeat(40)}"`,
];

function randomString(random: Random): string {
  return Array.from({ length: random(4) }, () => pick(random, STRINGS)).join("");
}

function randomValue(random: Random, depth: number): unknown {
  switch (random(depth > 0 ? 6 : 4)) {
    case 0:
      return randomString(random);
    case 1:
      return random(2_000_000) / 100 - 10_000;
    case 2:
      return pick(random, [true, false, null]);
    case 3:
      return pick(random, [1e300, -0.5, 0, "model"]);
    case 4:
      return Array.from({ length: random(4) }, () => randomValue(random, depth - 1));
    default: {
      const keys = ["model", randomString(random), "x"].slice(0, random(4));
      return Object.fromEntries(keys.map((key) => [key, randomValue(random, depth - 1)]));
    }
  }
}

function render(value: unknown, random: Random): string {
  if (typeof value === "string") return renderString(value, random);
  if (Array.isArray(value)) {
    const items = value.map((item) => renderSpaced(render(item, random), random));
    return `[${items.join(",") || space(random)}]`;
  }
  if (typeof value === "object" && value !== null) {
    return renderObject(Object.entries(value), random);
  }
  return JSON.stringify(value);
}

function renderObject(entries: RandomDocument["entries"], random: Random): string {
  const items = entries.map(([key, value]) => {
    const written = renderSpaced(renderString(key, random), random);
    return `${written}:${renderSpaced(render(value, random), random)}`;
  });
  return `{${items.join(",") || space(random)}}`;
}

function renderSpaced(text: string, random: Random): string {
  return `${space(random)}${text}${space(random)}`;
}

function space(random: Random): string {
  return ["", "", "", " ", "\n", "\t\r "][random(6)]!;
}

/** Writes some characters literally, and some as `\uXXXX`. */
function renderString(text: string, random: Random): string {
  if (random(2) > 0) return JSON.stringify(text);
  const units = Array.from(text, (character) => {
    if (random(4) > 0) return JSON.stringify(character).slice(1, -1);
    const codes = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
    return codes.map((code) => `\\u${code.toString(16).padStart(4, "0")}`).join("");
  });
  return `"${units.join("")}"`;
}

/**
 * The same bytes with one to three errors: changed, removed, inserted, cut or repeated bytes. Most errors hit
 * characters that have a meaning in JSON.
 */
export function damaged(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let left = 1 + random(3); left > 0; left -= 1) {
    const at = random(result.length + 1);
    const end = Math.min(at + 1 + random(4), result.length);
    const before = result.subarray(0, at);
    const changes = [
      () => [before, randomBytes(random, end - at), result.subarray(end)],
      () => [before, result.subarray(end)],
      () => [before, randomBytes(random, 1 + random(3)), result.subarray(at)],
      () => [result.subarray(0, end), result.subarray(at)],
      () => (random(4) === 0 ? [before] : [result]),
    ];
    result = Buffer.concat(pick(random, changes)());
  }
  return result;
}

function randomBytes(random: Random, length: number): Uint8Array {
  const meaningful = Buffer.from('""\\\\{}[]:,, \n01eu/\u0000\uFEFF');
  return Uint8Array.from({ length }, () =>
    random(4) === 0 ? random(256) : meaningful[random(meaningful.length)]!,
  );
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!;
}
