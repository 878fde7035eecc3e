/** The values of a query's parts: vectors with the labels of their series. */

/** All series of one name, as scraped. */
export type Series = {
  /** A histogram's `_bucket`, `_sum` and `_count` are counters too: they only rise. */
  readonly kind: "counter" | "gauge";
  readonly labels: readonly string[];
};

export type KnownSeries = ReadonlyMap<string, Series>;

export type Vector = {
  readonly type: "instant" | "range";
  /** Undefined if the vector is no plain counter or gauge, or no longer one. */
  readonly kind: Series["kind"] | undefined;
  readonly labels: ReadonlySet<string>;
};
export type Value = Vector | { readonly type: "number" };

/** Operator → precedence. */
export const OPERATORS: Readonly<Record<string, number>> = {
  ...{ or: 1, and: 2, unless: 2 },
  ...{ "==": 3, "!=": 3, ">": 3, "<": 3, ">=": 3, "<=": 3 },
  ...{ "+": 4, "-": 4, "*": 5, "/": 5 },
};

export type Join =
  | { readonly word: "on" | "ignoring"; readonly labels: ReadonlySet<string> }
  | undefined;

/**
 * Two series match if they have the same values in the joined labels. So both sides must have the same
 * labels.
 */
export function combine(left: Value, right: Value, operator: string, join: Join): Value {
  if (left.type === "range" || right.type === "range")
    throw new Error(`"${operator}" takes no range`);
  if (left.type === "number")
    return right.type === "number" ? right : { ...right, kind: undefined };
  if (right.type === "number") return { ...left, kind: undefined };
  if (operator === "or") {
    return { type: "instant", kind: undefined, labels: left.labels.intersection(right.labels) };
  }
  return { type: "instant", kind: undefined, labels: meet(left, right, operator, join) };
}

/** The labels of the result of both sides. */
function meet(left: Vector, right: Vector, operator: string, join: Join): ReadonlySet<string> {
  const common = left.labels.intersection(right.labels);
  for (const label of join?.word === "on" ? join.labels : []) need(common, label);
  const counted = (labels: ReadonlySet<string>): ReadonlySet<string> => {
    if (join === undefined) return labels;
    return join.word === "on" ? join.labels : labels.difference(join.labels);
  };
  const [ours, theirs] = [counted(left.labels), counted(right.labels)];
  const differing = [...ours.symmetricDifference(theirs)];
  if (differing.length > 0) {
    throw new Error(`The sides of "${operator}" never meet: only one has ${differing.join(", ")}`);
  }
  const isFilter = operator === "and" || operator === "unless" || OPERATORS[operator] === 3;
  return isFilter ? left.labels : ours;
}

export function quantile(buckets: Vector): Vector {
  need(buckets.labels, "le");
  return { ...buckets, labels: buckets.labels.difference(new Set(["le"])) };
}

export function instant(what: string, value: Value): Vector {
  if (value.type === "instant") return value;
  throw new Error(`${what} takes a vector, not a ${value.type}`);
}

export function need(labels: ReadonlySet<string>, label: string): void {
  if (labels.has(label)) return;
  const others = [...labels].join(", ") || "none";
  throw new Error(`There is no label "${label}" here; there are: ${others}`);
}
