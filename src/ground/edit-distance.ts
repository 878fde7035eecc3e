/** Finds the word that was probably meant: compares words letter by letter. Pure. */

/** The longest text to compare, in characters. Longer texts must be cut. */
export const COMPARED_LENGTH_MAX = 64;

/** The share of the longer text that may differ. */
const DIFFERENT_SHARE = 1 / 3;

/** @param distance their edit distance */
export function isNear(a: string, b: string, distance: number): boolean {
  return distance <= Math.max(a.length, b.length) * DIFFERENT_SHARE;
}

/** Two swapped letters are two edits. A word of this length may have them. */
const SWAPPED_LENGTH_MIN = 4;

/** @returns the near word with the smallest edit distance; undefined if no word is near */
export function nearestWord(wrong: string, words: readonly string[]): string | undefined {
  const cut = wrong.slice(0, COMPARED_LENGTH_MAX);
  const [best] = words
    .map((word) => ({ word, distance: editDistance(cut, word) }))
    .filter(
      ({ word, distance }) =>
        isNear(cut, word, distance) || (distance <= 2 && word.length >= SWAPPED_LENGTH_MIN),
    )
    .sort((a, b) => a.distance - b.distance);
  return best?.word;
}

/** The two current rows of the distance table, shared by all calls. */
let row = new Uint16Array(COMPARED_LENGTH_MAX + 1);
let next = new Uint16Array(COMPARED_LENGTH_MAX + 1);

/**
 * Levenshtein's distance: how many characters to insert, delete or replace. Both texts have at most
 * `COMPARED_LENGTH_MAX` characters.
 */
export function editDistance(a: string, b: string): number {
  for (let j = 0; j <= b.length; j += 1) row[j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    next[0] = i;
    for (let j = 1; j <= b.length; j += 1) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      const replaced = (row[j - 1] ?? 0) + (same ? 0 : 1);
      next[j] = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    [row, next] = [next, row];
  }
  return row[b.length] ?? 0;
}
