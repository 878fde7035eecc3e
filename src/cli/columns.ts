/** Formats rows of cells as a table with aligned columns. Pure. */

/** A wider cell does not widen its column. Otherwise one wide cell and many rows would make a huge output. */
const WIDTH_MAX = 100;

/**
 * Aligns the cells of all rows. The first row holds the headings. Two spaces separate the columns. No line
 * ends in spaces.
 */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? [])
    .slice(0, -1)
    .map((_, index) =>
      rows.reduce((widest, cells) => Math.max(widest, Math.min(width(cells[index]), WIDTH_MAX)), 0),
    );
  return rows.map((cells) =>
    cells
      .map((cell, index) => cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - width(cell))))
      .join("  ")
      .trimEnd(),
  );
}

/** A line that counts the rows left out of a table; no line if the count is 0. */
export function moreLine(count: number, one: string): readonly string[] {
  return count > 0 ? [`and ${count} more ${one}${count === 1 ? "" : "s"}`] : [];
}

function width(cell = ""): number {
  return Bun.stringWidth(cell);
}
