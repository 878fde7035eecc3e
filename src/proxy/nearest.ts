/** Which of some names somebody may have meant. */

/** More of a name than this says nothing about what was meant. */
const COMPARED_LENGTH_MAX = 64;

/** @returns up to `count` names, the nearest by edit distance first (without regard to case) */
export function nearest(name: string, names: readonly string[], count: number): readonly string[] {
  const wanted = comparable(name);
  return names
    .map((each) => ({ each, distance: editDistance(wanted, comparable(each)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ each }) => each);
}

function comparable(name: string): string {
  return name.slice(0, COMPARED_LENGTH_MAX).toLowerCase();
}

/** One row of the table at a time, and the same two for all: this runs once for each model there is. */
let row = new Uint16Array(COMPARED_LENGTH_MAX + 1);
let next = new Uint16Array(COMPARED_LENGTH_MAX + 1);

/** Levenshtein: how many characters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
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
