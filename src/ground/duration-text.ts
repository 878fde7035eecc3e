/** Formats a duration as a short text. Pure. */

/** `0.3 s`, `12 s`, `3 min`, `2.5 h`. Shows at least 0.1 s. */
export function durationText(ms: number): string {
  const seconds = Math.max(0.1, ms / 1_000);
  if (seconds < 120) return `${rounded(seconds)} s`;
  return seconds < 7_200 ? `${rounded(seconds / 60)} min` : `${rounded(seconds / 3_600)} h`;
}

/** 10 or more: a whole number. Below 10: one decimal, without a trailing `.0`. */
function rounded(value: number): string {
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)}`;
}
