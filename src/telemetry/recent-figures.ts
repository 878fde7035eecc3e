/** Turns the counts of recent requests into names, rates and percentiles. Pure. */
import type { RecentWindow } from "../status.ts";

/** Bucket `n` of a histogram ends at 1.5 ** n ms. The last bucket, at 288 s, also holds all longer times. */
const STEP = 1.5;
export const STEP_COUNT = 32;
const LOG_STEP = Math.log(STEP);

/** @returns the histogram bucket of a time */
export function stepOf(ms: number): number {
  return ms <= 1 ? 0 : Math.min(STEP_COUNT - 1, Math.ceil(Math.log(ms) / LOG_STEP));
}

/** Leaves out zeros. */
export function named(
  counts: Float64Array,
  nameOf: (index: number) => string,
): Readonly<Record<string, number>> {
  const entries: [string, number][] = [];
  for (const [index, count] of counts.entries()) {
    if (count > 0) entries.push([nameOf(index), count]);
  }
  return Object.fromEntries(entries);
}

/** Per second, to one decimal. */
export function rate(count = 0, ms = 0): number | null {
  return count === 0 || ms === 0 ? null : Math.round((count / ms) * 10_000) / 10;
}

export function quantilesOf(histogram: Float64Array): RecentWindow["first_chunk_ms"] {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  return { p50: quantile(histogram, total * 0.5), p95: quantile(histogram, total * 0.95) };
}

/** Assumes that values are spread evenly over the logarithm within a bucket. The error is at most a fifth. */
function quantile(histogram: Float64Array, rank: number): number {
  let below = 0;
  for (const [step, count] of histogram.entries()) {
    if (count > 0 && below + count >= rank) {
      return rounded(STEP ** (step - 1 + (rank - below) / count));
    }
    below += count;
  }
  return rounded(STEP ** (STEP_COUNT - 1));
}

/** Rounds to two digits: more would suggest a precision that does not exist. */
function rounded(ms: number): number {
  return Number(ms.toPrecision(2));
}
