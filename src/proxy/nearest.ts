/** Which of some names somebody may have meant. */

/** More of a name than this says nothing about what was meant. */
const COMPARED_LENGTH_MAX = 128;

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

/** Levenshtein: how many characters to insert, delete or replace. One row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
