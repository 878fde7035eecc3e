/** The figures of a run as one table: one line for each figure, one column for each target. Pure. */
import { type Goal, LINES, type Line } from "./rows.ts";
import { median, pairwise, type Samples, spread, valuesOf } from "./samples.ts";
import { DIRECT, GO, NGINX, OURS } from "./targets.ts";

/** Each of these has a column with the ratio of our figure to its figure. */
const COMPARED: readonly string[] = [NGINX, GO];

/**
 * Markdown. It shows medians with half their range in percent, and the medians of the ratios within each round.
 * It leaves out empty columns.
 */
export function table(samples: Samples, targets: readonly string[]): string {
  const rows = LINES.map((line) => row(samples, line, targets)).filter(
    (cells) => cells !== undefined,
  );
  const head = ["", ...targets, ...COMPARED.map((than) => `ours / ${than}`), "floor (aim)"];
  const rule = ["---", ...head.slice(1).map(() => "--:")];
  const isKept = (_: string, column: number): boolean =>
    column === 0 || rows.some((cells) => cells[column] !== "");
  return [head, rule, ...rows].map((cells) => `| ${cells.filter(isKept).join(" | ")} |`).join("\n");
}

function row(
  samples: Samples,
  line: Line,
  targets: readonly string[],
): readonly string[] | undefined {
  const cells = targets.map((target) => {
    const values = figuresOf(samples, line, target);
    return values.length === 0 ? "" : show(values, line.digits);
  });
  if (cells.every((cell) => cell === "")) return undefined;
  const ratios = COMPARED.map((than) => showRatio(ratio(samples, line, than)));
  const goals = (line.goals ?? []).map((goal) => verdict(samples, line, goal));
  return [line.name, ...cells, ...ratios, goals.filter((goal) => goal !== "").join("; ")];
}

function figuresOf(samples: Samples, line: Line, target: string): readonly number[] {
  const values = valuesOf(samples, line, target);
  if (!line.added) return values;
  if (target === DIRECT) return [];
  return pairwise(values, valuesOf(samples, line, DIRECT), (own, direct) => own - direct);
}

function show(values: readonly number[], digits: number): string {
  const middle = median(values);
  const digits_ = Math.abs(middle) < 10 && digits === 0 ? 1 : digits;
  const half = spread(values);
  const number = middle.toLocaleString("en", {
    minimumFractionDigits: digits_,
    maximumFractionDigits: digits_,
  });
  return values.length > 1 && Number.isFinite(half)
    ? `${number} ±${(half * 100).toFixed(0)} %`
    : number;
}

/** @returns NaN if one of the two was not measured */
function ratio(samples: Samples, line: Line, than: string): number {
  const [ours, theirs] = [figuresOf(samples, line, OURS), figuresOf(samples, line, than)];
  // Both may be 0: no event was late.
  return median(pairwise(ours, theirs, (a, b) => (a === b ? 1 : a / b)));
}

function showRatio(value: number): string {
  if (Number.isNaN(value)) return "";
  return Number.isFinite(value) ? value.toFixed(2) : "∞";
}

/** The target of the limit, the ratio if no column shows it, the floor and the aim. Marks a missed floor. */
function verdict(samples: Samples, line: Line, { than, better, floor, aim }: Goal): string {
  const judged =
    than === undefined ? median(figuresOf(samples, line, OURS)) : ratio(samples, line, than);
  if (Number.isNaN(judged)) return "";
  const isMet = better === "more" ? judged >= floor : judged <= floor;
  const asked = `${better === "more" ? "≥" : "≤"} ${floor} (${aim})${isMet ? "" : " **missed**"}`;
  if (than === undefined) return asked;
  return COMPARED.includes(than) ? `${than} ${asked}` : `${than} ${showRatio(judged)}, ${asked}`;
}
