/** The queries of the dashboard, as Grafana sends them with its variables as they are at first. */
import { type Dashboard, queriesOf } from "../grafana.ts";

export type SentQuery = { readonly place: string; readonly query: string };

/** What a variable is replaced by. */
type Chosen = {
  readonly name: string;
  /** Of a variable of which all values are chosen. */
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

/** `$name`, `${name}` and `${name:format}`. */
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
