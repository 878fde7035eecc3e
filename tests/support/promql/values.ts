/** What the parts of a query come to: vectors with the labels that their series have. */

/** What one name stands for, as it is scraped. */
export type Series = {
  /** A histogram's `_bucket`, `_sum` and `_count` are counters too: they only rise. */
  readonly kind: "counter" | "gauge";
  readonly labels: readonly string[];
};

export type KnownSeries = ReadonlyMap<string, Series>;

export type Vector = {
  readonly type: "instant" | "range";
  /** Undefined: neither, or no longer. */
  readonly kind: Series["kind"] | undefined;
  readonly labels: ReadonlySet<string>;
};
export type Value = Vector | { readonly type: "number" };

/** By how tightly they bind. */
export const OPERATORS: Readonly<Record<string, number>> = {
  ...{ or: 1, and: 2, unless: 2 },
  ...{ "==": 3, "!=": 3, ">": 3, "<": 3, ">=": 3, "<=": 3 },
  ...{ "+": 4, "-": 4, "*": 5, "/": 5 },
};

export type Join =
  | { readonly word: "on" | "ignoring"; readonly labels: ReadonlySet<string> }
  | undefined;

/** Two vectors meet where the labels that count are the same; so both must have the same ones. */
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

/** The labels of what is left of both. */
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
