/** Sorts by several numbers, of which the first counts most. Pure. */

/**
 * @param numbersOf as many for each entry
 * @returns those with the greatest numbers first; what is equal stays in its order
 */
export function greatestFirst<Entry>(
  entries: readonly Entry[],
  numbersOf: (entry: Entry) => readonly number[],
): readonly Entry[] {
  return entries
    .map((entry) => ({ entry, numbers: numbersOf(entry) }))
    .sort((a, b) => compare(a.numbers, b.numbers))
    .map(({ entry }) => entry);
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((number, at) => number !== b[at]);
  return (b[index] ?? 0) - (a[index] ?? 0);
}
