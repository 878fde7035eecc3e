/**
 * Checks that a PromQL query can return something: each metric exists, and has each label that the query
 * matches, groups or joins by. It parses only the parts of PromQL that our queries use. Any other function,
 * operator or modifier is an error. It computes nothing.
 */
import { type Token, tokenize } from "./tokens.ts";
import {
  combine,
  instant,
  type Join,
  type KnownSeries,
  need,
  OPERATORS,
  quantile,
  type Value,
} from "./values.ts";

const AGGREGATIONS = new Set(["sum", "min", "max", "avg", "count"]);
/** They take a number before the vector, and keep all labels. */
const CHOICES = new Set(["topk", "bottomk"]);
/** Only for counters. */
const RATES = new Set(["rate", "irate", "increase"]);
const OVER_TIME = new Set(["max_over_time", "min_over_time", "avg_over_time", "sum_over_time"]);
const PER_SAMPLE = new Set(["clamp_min", "clamp_max", "round", "abs", "sort", "sort_desc"]);
/**
 * The labels of the query's result.
 *
 * @throws {Error} that says what is wrong with the query
 */
export function resultLabels(query: string, known: KnownSeries): ReadonlySet<string> {
  const parser = new Parser(query, known);
  const value = parser.expression(0);
  parser.expect("end");
  if (value.type === "range")
    throw new Error("It is a range: put a function such as rate() around it");
  return value.type === "number" ? new Set() : value.labels;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #known: KnownSeries;
  #index = 0;

  constructor(query: string, known: KnownSeries) {
    this.#tokens = tokenize(query);
    this.#known = known;
  }

  /** @param bound operators with a lower precedence than this end the expression */
  expression(bound: number): Value {
    let left = this.#operand();
    for (;;) {
      const operator = this.#peek().value;
      const tightness = this.#peek().kind === "text" ? undefined : OPERATORS[operator];
      if (tightness === undefined || tightness <= bound) return left;
      this.#next();
      this.#accept("bool");
      const join = this.#join();
      left = combine(left, this.expression(tightness), operator, join);
    }
  }

  expect(wanted: string): Token {
    const token = this.#next();
    if (token.kind !== wanted && token.value !== wanted) {
      throw new Error(`"${wanted}" is missing before "${token.value}"`);
    }
    return token;
  }

  #operand(): Value {
    const token = this.#peek();
    if (token.kind === "number") return this.#number();
    if (this.#accept("(")) {
      const value = this.expression(0);
      this.expect(")");
      return value;
    }
    if (token.value === "{") return this.#selector(undefined);
    const { value: name } = this.expect("name");
    const next = this.#peek().value;
    if (next === "(" || next === "by" || next === "without") return this.#call(name);
    return this.#selector(name);
  }

  #number(): Value {
    this.expect("number");
    return { type: "number" };
  }

  #call(name: string): Value {
    if (AGGREGATIONS.has(name)) return this.#aggregation();
    this.expect("(");
    let value: Value;
    if (name === "vector") {
      this.#number();
      value = { type: "instant", kind: undefined, labels: new Set() };
    } else if (CHOICES.has(name)) {
      this.#number();
      this.expect(",");
      value = instant(name, this.expression(0));
    } else if (name === "histogram_quantile") {
      this.#number();
      this.expect(",");
      value = quantile(instant(name, this.expression(0)));
    } else value = this.#function(name);
    this.expect(")");
    return value;
  }

  #function(name: string): Value {
    if (PER_SAMPLE.has(name)) {
      const value = instant(name, this.expression(0));
      if (this.#accept(",")) this.#number();
      return value;
    }
    if (!RATES.has(name) && !OVER_TIME.has(name)) throw new Error(`${name}() is not known`);
    const value = this.expression(0);
    if (value.type !== "range") throw new Error(`${name}() takes a range, as in [5m]`);
    if (RATES.has(name) && value.kind !== "counter") throw new Error(`${name}() is for counters`);
    return { ...value, type: "instant", kind: undefined };
  }

  /** `sum by (model) (…)`, or the same with the grouping at the end. */
  #aggregation(): Value {
    let grouping = this.#grouping();
    this.expect("(");
    const { labels } = instant("An aggregation", this.expression(0));
    this.expect(")");
    grouping ??= this.#grouping();
    for (const label of grouping?.labels ?? []) need(labels, label);
    const kept =
      grouping?.word === "without" ? labels.difference(grouping.labels) : grouping?.labels;
    return { type: "instant", kind: undefined, labels: kept ?? new Set() };
  }

  #grouping(): { readonly word: string; readonly labels: ReadonlySet<string> } | undefined {
    for (const word of ["by", "without"]) {
      if (this.#accept(word)) return { word, labels: this.#labelList() };
    }
    return undefined;
  }

  /** `on (…)` or `ignoring (…)`. Our queries have no many-to-one joins, so it refuses them. */
  #join(): Join {
    for (const word of ["on", "ignoring"] as const) {
      if (this.#accept(word)) return { word, labels: this.#labelList() };
    }
    return undefined;
  }

  #labelList(): ReadonlySet<string> {
    const labels = new Set<string>();
    this.expect("(");
    while (!this.#accept(")")) {
      labels.add(this.expect("name").value);
      if (this.#peek().value !== ")") this.expect(",");
    }
    return labels;
  }

  /** @param name undefined if the query matches `__name__` instead */
  #selector(name: string | undefined): Value {
    const matchers = this.#accept("{") ? this.#matchers() : new Map<string, string>();
    const names = name === undefined ? matchers.get("__name__")?.split("|") : [name];
    matchers.delete("__name__");
    const series = (names ?? [""]).map((each) => {
      const found = this.#known.get(each);
      if (found === undefined) throw new Error(`There is no metric "${each}"`);
      return found;
    });
    const labels = series
      .map((each): ReadonlySet<string> => new Set(each.labels))
      .reduce((all, each) => all.intersection(each));
    for (const label of matchers.keys()) need(labels, label);
    const isCounter = series.every(({ kind }) => kind === "counter");
    const isRange = this.#peek().kind === "range";
    if (isRange) this.#next();
    return { type: isRange ? "range" : "instant", kind: isCounter ? "counter" : "gauge", labels };
  }

  /** The matchers after the brace: label → value. */
  #matchers(): Map<string, string> {
    const matchers = new Map<string, string>();
    while (!this.#accept("}")) {
      const { value: label } = this.expect("name");
      const { value: operator } = this.#next();
      if (!/^(=|!=|=~|!~)$/.test(operator)) throw new Error(`"${operator}" matches no label`);
      const { value } = this.expect("text");
      // Grafana replaces a variable with `(a|b)`.
      if (value.includes("$") && !operator.includes("~")) {
        throw new Error(`${label} is compared with ${value}, which may be several values: use =~`);
      }
      matchers.set(label, value);
      if (this.#peek().value !== "}") this.expect(",");
    }
    return matchers;
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: "end", value: "the end" };
  }

  #next(): Token {
    const token = this.#peek();
    this.#index += 1;
    return token;
  }

  #accept(value: string): boolean {
    const token = this.#peek();
    const isIt = token.kind !== "text" && token.value === value;
    if (isIt) this.#index += 1;
    return isIt;
  }
}
