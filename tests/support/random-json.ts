/** Random JSON from a seed: the same seed makes the same documents, so a failure can be repeated. */

/** @returns a number from 0 up to `below`, which it does not reach */
export type Random = (below: number) => number;

export type RandomDocument = { readonly value: Record<string, unknown>; readonly text: string };

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

/** An object with distinct keys, often with a `model`, in one of the many ways to write it. */
export function randomDocument(random: Random): RandomDocument {
  const keys = new Set<string>(Array.from({ length: random(6) }, () => pick(random, KEYS)));
  if (random(4) > 0) keys.add("model");
  const shuffled = [...keys].sort(() => random(3) - 1);
  const entries = shuffled.map((key): [string, unknown] => [
    key,
    key === "model" && random(4) > 0 ? randomString(random) : randomValue(random, 3),
  ]);
  const value = Object.fromEntries(entries);
  return { value, text: render(value, random) };
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
];

function randomString(random: Random): string {
  return Array.from({ length: random(5) }, () => pick(random, STRINGS)).join("");
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
  const space = (): string => pick(random, ["", "", "", " ", "\n", "\t\r "]);
  const padded = (text: string): string => `${space()}${text}${space()}`;
  if (typeof value === "string") return renderString(value, random);
  if (Array.isArray(value)) {
    const items = value.map((item) => padded(render(item, random)));
    return `[${items.join(",") || space()}]`;
  }
  if (typeof value === "object" && value !== null) {
    const items = Object.entries(value).map(
      ([key, item]) => `${padded(renderString(key, random))}:${padded(render(item, random))}`,
    );
    return `{${items.join(",") || space()}}`;
  }
  return JSON.stringify(value);
}

/** Some characters as they are, some as `\uXXXX`. */
function renderString(text: string, random: Random): string {
  const units = Array.from(text, (character) => {
    if (random(6) > 0) return JSON.stringify(character).slice(1, -1);
    const codes = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
    return codes.map((code) => `\\u${code.toString(16).padStart(4, "0")}`).join("");
  });
  return `"${units.join("")}"`;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!;
}
