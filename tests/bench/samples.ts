/** The figures of a run, with medians, spreads and ratios. Pure. */

/** One measurement of one workload on one target: figure → value. */
export type Sample = Readonly<Record<string, number>>;

/** Workload → target → one sample a round. */
export type Samples = Map<string, Map<string, Sample[]>>;

export function add(samples: Samples, workload: string, target: string, sample: Sample): void {
  const targets = samples.get(workload) ?? new Map<string, Sample[]>();
  samples.set(workload, targets);
  targets.set(target, [...(targets.get(target) ?? []), sample]);
}

export function valuesOf(
  samples: Samples,
  { workload, figure }: { readonly workload: string; readonly figure: string },
  target: string,
): readonly number[] {
  const all = samples.get(workload)?.get(target) ?? [];
  return all.map((sample) => sample[figure] ?? Number.NaN).filter((value) => !Number.isNaN(value));
}

/** Uses only rounds that both have, so that a slow moment of the machine affects both alike. */
export function pairwise(
  ours: readonly number[],
  theirs: readonly number[],
  combine: (ours: number, theirs: number) => number,
): readonly number[] {
  const rounds = Math.min(ours.length, theirs.length);
  return Array.from({ length: rounds }, (_, round) =>
    combine(ours[round] ?? Number.NaN, theirs[round] ?? Number.NaN),
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] ?? Number.NaN;
  const high = sorted[Math.ceil(middle)] ?? Number.NaN;
  return (low + high) / 2;
}

/** Half of the range from the smallest to the largest value, as a share of the median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / Math.abs(median(values));
}
