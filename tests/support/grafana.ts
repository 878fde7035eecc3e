/** Reads the queries and the layout of a Grafana dashboard. Source: Grafana 11's dashboard schema. */

type Datasource = { readonly type: string; readonly uid: string };

type Target = {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly datasource?: Datasource;
};

export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: Datasource;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
};

type Variable = {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly datasource?: Datasource;
};

export type Dashboard = {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly datasource: Datasource;
      readonly target: Target;
      readonly textFormat: string;
    }[];
  };
};

/** A query of the dashboard to Prometheus, and its place. */
export type Query = {
  readonly place: string;
  readonly datasource: Datasource | undefined;
  readonly expr: string;
  /** Labels that the result must have, because the dashboard shows them. */
  readonly shown: readonly string[];
};

/** The queries of all panels, variables and annotations. */
export function queriesOf({ panels, templating, annotations }: Dashboard): readonly Query[] {
  return [
    ...panels.flatMap(panelQueries),
    ...templating.list.filter(({ type }) => type === "query").map(variableQuery),
    ...annotations.list.map(({ name, datasource, target, textFormat }) => ({
      place: name,
      datasource,
      expr: target.expr,
      shown: labelsIn(textFormat),
    })),
  ];
}

/** The panels between the row with this title and the next row. */
export function panelsOfRow({ panels }: Dashboard, title: string): readonly Panel[] {
  const start = panels.findIndex((panel) => panel.type === "row" && panel.title === title) + 1;
  const length = panels.slice(start).findIndex(({ type }) => type === "row");
  return panels.slice(start, length === -1 ? undefined : start + length);
}

export function panelQueries({ title, targets = [], datasource }: Panel): readonly Query[] {
  return targets.map((target) => ({
    place: `${title} ${target.refId}`,
    datasource: target.datasource ?? datasource,
    expr: target.expr,
    shown: labelsIn(target.legendFormat ?? ""),
  }));
}

/** `label_values(selector, label)` is a function of Grafana, not of Prometheus. */
function variableQuery({ name, query, datasource }: Variable): Query {
  const text = typeof query === "string" ? query : query.query;
  const [, expr = text, label = ""] = /^label_values\((.*), *(\w+)\)$/.exec(text) ?? [];
  return { place: `variable ${name}`, datasource, expr, shown: [label] };
}

function labelsIn(legend: string): readonly string[] {
  return [...legend.matchAll(/\{\{ *(\w+) *\}\}/g)].map(([, label = ""]) => label);
}
