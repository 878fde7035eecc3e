/** Sorts by several numbers. The first number counts most. Pure. */

/**
 * @param numbersOf must return the same count of numbers for each entry
 * @returns the entries with the greatest numbers first; equal entries keep their order
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
