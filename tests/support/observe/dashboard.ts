/** The queries of a dashboard of Grafana's, as Grafana would send them with its variables at their defaults. */

type Target = { readonly expr?: string };

type Panel = {
  readonly title?: string;
  readonly targets?: readonly Target[];
  /** Those of a row that is folded. */
  readonly panels?: readonly Panel[];
};

type Variable = {
  readonly name: string;
  readonly type: string;
  readonly allValue?: string | null;
  readonly current?: { readonly value?: string | readonly string[] };
  /** Of a constant, a list or an interval: its values. */
  readonly query?: unknown;
};

export type Dashboard = {
  readonly panels: readonly Panel[];
  readonly templating?: { readonly list?: readonly Variable[] };
  readonly annotations?: {
    readonly list?: readonly { readonly name?: string; readonly target?: Target }[];
  };
};

export type DashboardQuery = { readonly panel: string; readonly query: string };

/** Grafana's own variables. */
const BUILT_IN: readonly (readonly [name: string, value: string])[] = [
  ["__rate_interval", "1m"],
  ["__interval", "15s"],
  ["__range", "5m"],
];

export function dashboardQueries(dashboard: Dashboard): readonly DashboardQuery[] {
  const { templating, annotations } = dashboard;
  const values = new Map(BUILT_IN);
  for (const variable of templating?.list ?? []) values.set(variable.name, defaultOf(variable));
  const found = [...ofPanels(dashboard.panels)];
  for (const { name = "", target } of annotations?.list ?? []) {
    if (target?.expr !== undefined) found.push({ panel: name, query: target.expr });
  }
  return found.map(({ panel, query }) => ({ panel, query: replaced(query, values) }));
}

function* ofPanels(panels: readonly Panel[]): Generator<DashboardQuery> {
  for (const { title = "", targets = [], panels: folded = [] } of panels) {
    for (const { expr } of targets) if (expr !== undefined) yield { panel: title, query: expr };
    yield* ofPanels(folded);
  }
}

function defaultOf({ type, allValue, current, query }: Variable): string {
  if (type === "query") return allValue ?? ".+";
  const value = current?.value;
  if (typeof value === "string" && value !== "") return value;
  return typeof query === "string" ? (query.split(",")[0] ?? "") : ".+";
}

/** `$name`, `${name}`, `${name:format}` and `[[name]]`. */
function replaced(query: string, values: ReadonlyMap<string, string>): string {
  return query.replace(
    /\$(\w+)|\$\{(\w+)(?::\w+)?\}|\[\[(\w+)\]\]/g,
    (_all, plain?: string, braced?: string, old?: string) => {
      const name = plain ?? braced ?? old ?? "";
      const value = values.get(name);
      if (value === undefined) throw new Error(`The dashboard has no variable ${name}`);
      return value;
    },
  );
}
