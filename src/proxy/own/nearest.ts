/**
 * Suggests names for a mistyped name: names with a small edit distance, or with a part in common. There may be 10,000
 * names, and any client can ask for a name that does not exist. So this compares only a few letter by letter: the names
 * that share the most pairs of letters with the wanted one. Pure, except for a cache per list.
 */
import { COMPARED_LENGTH_MAX, editDistance, isNear } from "../../ground/edit-distance.ts";

const LATEST = ":latest";
/** How many names to compare letter by letter. This takes 0.3 ms at most. */
const COMPARED_MAX = 32;

/**
 * @returns up to `count` near names (ignoring case), the smallest edit distance first; may be empty
 */
export function nearest(name: string, names: readonly string[], count: number): readonly string[] {
  const wanted = comparable(name);
  const words = wordsOf(wanted);
  return candidates(name, names)
    .map((each) => ({ each, text: comparable(each) }))
    .map(({ each, text }) => ({ each, text, distance: editDistance(wanted, text) }))
    .filter(
      ({ text, distance }) => isNear(wanted, text, distance) || sharesPart(wanted, words, text),
    )
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ each }) => each);
}

/** Shorter parts have no meaning: `8b`, `it`, `v2`. */
const PART_LENGTH_MIN = 3;

/** Tells whether one name contains the other, or both share a word that identifies a model. */
function sharesPart(wanted: string, words: ReadonlySet<string>, name: string): boolean {
  const [short, long] = wanted.length < name.length ? [wanted, name] : [name, wanted];
  if (short.length >= PART_LENGTH_MIN && long.includes(short)) return true;
  return !words.isDisjointFrom(wordsOf(name));
}

/** Words for variants and formats. All kinds of models have them, so they identify none. */
const OF_ALL_MODELS = new Set([
  ...["model", "instruct", "chat", "base", "latest", "large", "medium", "small", "mini", "preview"],
  ...["gguf", "awq", "gptq", "int", "float", "quantized"],
]);

/** A word is a row of letters. Digits and other characters end it. */
function wordsOf(name: string): Set<string> {
  const words = name.match(/\p{L}{3,}/gu) ?? [];
  return new Set(words.filter((word) => !OF_ALL_MODELS.has(word)));
}

/** @returns at most 32 names, in the order of the list: all names, or the most similar ones */
export function candidates(name: string, names: readonly string[]): readonly string[] {
  if (names.length <= COMPARED_MAX) return names;
  const index = indexOf(names);
  const wanted = new Uint32Array(WORDS);
  markPairs(comparable(name), wanted, 0);
  const scores = new Uint8Array(names.length);
  const counts = new Uint32Array(BITS + 1);
  for (let n = 0; n < names.length; n += 1) {
    const score = difference(wanted, index, n * WORDS);
    scores[n] = score;
    counts[score] = (counts[score] ?? 0) + 1;
  }
  return least(names, scores, counts);
}

/** @returns the names with the lowest scores. If not all names with one score fit, the first ones win */
function least(
  names: readonly string[],
  scores: Uint8Array,
  counts: Uint32Array,
): readonly string[] {
  let limit = 0;
  let below = 0;
  while (below + (counts[limit] ?? 0) < COMPARED_MAX) {
    below += counts[limit] ?? 0;
    limit += 1;
  }
  let room = COMPARED_MAX - below;
  return names.filter((_name, n) => {
    const score = scores[n] ?? 0;
    if (score === limit) room -= 1;
    return score < limit || (score === limit && room >= 0);
  });
}

/** Each name has a bit set of its pairs of neighbouring letters. One edit changes at most four bits. */
const WORDS = 4;
const BITS = WORDS * 32;

/** A cache, because many requests use the same list. */
const indexes = new WeakMap<readonly string[], Uint32Array>();

function indexOf(names: readonly string[]): Uint32Array {
  const known = indexes.get(names);
  if (known !== undefined) return known;
  const index = new Uint32Array(names.length * WORDS);
  for (const [n, name] of names.entries()) markPairs(comparable(name), index, n * WORDS);
  indexes.set(names, index);
  return index;
}

function markPairs(name: string, words: Uint32Array, first: number): void {
  let before = 0;
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const bit = (Math.imul(before * 31 + code, 0x9e3779b1) >>> 0) % BITS;
    const word = first + (bit >>> 5);
    words[word] = (words[word] ?? 0) | (1 << (bit & 31));
    before = code;
  }
}

/** Counts the pairs of letters that only one of the two names has. */
function difference(wanted: Uint32Array, index: Uint32Array, first: number): number {
  let sum = 0;
  for (let word = 0; word < WORDS; word += 1) {
    sum += bitsOf((wanted[word] ?? 0) ^ (index[first + word] ?? 0));
  }
  return sum;
}

/** Counts the set bits: first in pairs, then in fours, then in bytes, and adds these up. */
function bitsOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Cuts twice, because one letter may become two in lower case (İ). Removes `:latest`, the tag that most names in Ollama
 * share.
 */
function comparable(name: string): string {
  const lower = name.slice(0, COMPARED_LENGTH_MAX).toLowerCase().slice(0, COMPARED_LENGTH_MAX);
  return lower.endsWith(LATEST) ? lower.slice(0, -LATEST.length) : lower;
}
