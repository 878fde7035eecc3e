/** A duration in words, as short as it can be said. Pure. */

/** `0.3 s`, `12 s`, `3 min`, `2.5 h`: at least a tenth of a second. */
export function durationText(ms: number): string {
  const seconds = Math.max(0.1, ms / 1_000);
  if (seconds < 120) return `${rounded(seconds)} s`;
  return seconds < 7_200 ? `${rounded(seconds / 60)} min` : `${rounded(seconds / 3_600)} h`;
}

/** From 10 on a whole number, below it with one digit if that is not 0. */
function rounded(value: number): string {
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)}`;
}
