/** The dashboard's queries as Grafana sends them, with the initial values of its variables. */
import { type Dashboard, queriesOf } from "../grafana.ts";

export type SentQuery = { readonly place: string; readonly query: string };

/** The replacement of a variable. */
type Chosen = {
  readonly name: string;
  /** For a variable with all its values chosen. */
  readonly allValue?: string | null;
  readonly current?: { readonly value?: unknown };
};

/** Grafana's own variables. */
const BUILT_IN: readonly (readonly [name: string, value: string])[] = [
  ["__rate_interval", "1m"],
  ["__interval", "15s"],
  ["__range", "5m"],
];

export function sentQueries(dashboard: Dashboard): readonly SentQuery[] {
  const values = new Map(BUILT_IN);
  for (const { name, allValue, current } of dashboard.templating.list as readonly Chosen[]) {
    values.set(name, allValue ?? String(current?.value));
  }
  return queriesOf(dashboard).map(({ place, expr }) => ({ place, query: replaced(expr, values) }));
}

/** Replaces `$name`, `${name}` and `${name:format}`. */
function replaced(query: string, values: ReadonlyMap<string, string>): string {
  return query.replace(
    /\$(?:(\w+)|\{(\w+)(?::\w+)?\})/g,
    (_all, plain?: string, braced?: string) => {
      const value = values.get(plain ?? braced ?? "");
      if (value === undefined) throw new Error(`The dashboard has no variable for ${query}`);
      return value;
    },
  );
}
