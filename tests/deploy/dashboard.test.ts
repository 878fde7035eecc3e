/** The dashboard queries only metrics that exist, and is readable. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scrapeTargetsResponse } from "../../src/proxy/own/scrape-targets.ts";
import {
  type Dashboard,
  type Panel,
  panelQueries,
  panelsOfRow,
  type Query,
  queriesOf,
} from "../support/grafana.ts";
import { resultLabels } from "../support/promql/query.ts";
import { proxySeries, readSeries } from "../support/promql/scraped.ts";
import type { KnownSeries } from "../support/promql/values.ts";
import { engineMetrics } from "../support/server/inference-server/engine-metrics.ts";

const FILE = join(import.meta.dir, "../../deploy/grafana/dashboard.json");
const TEXT = readFileSync(FILE, "utf8");
const DASHBOARD = JSON.parse(TEXT) as Dashboard;
const ENGINES_ROW = "The servers' own metrics";

const PROXY = await proxySeries();
/** Includes the labels of the targets of /sd/prometheus. Prometheus drops labels that begin with `__`. */
const TARGET = { id: "1", name: "vllm-1", origin: "http://10.0.0.1:8000", models: ["m"] };
const [GROUP] = (await scrapeTargetsResponse([TARGET]).json()) as readonly [
  { readonly labels: object },
];
const GIVEN = Object.keys(GROUP.labels).filter((label) => !label.startsWith("__"));
const ENGINE_TEXT = (["vllm", "sglang"] as const)
  .map((kind) => engineMetrics(kind, "m", { running: 1 }))
  .join("");
const ENGINES = readSeries(ENGINE_TEXT, GIVEN);

/** The faults in a dashboard's queries, one a line. */
function faults(dashboard: Dashboard): readonly string[] {
  const engines = panelsOfRow(dashboard, ENGINES_ROW).flatMap(panelQueries);
  const isOfEngines = new Set(engines.map(({ place }) => place));
  return queriesOf(dashboard).flatMap((query) => {
    const reason = faultOf(query, isOfEngines.has(query.place) ? ENGINES : PROXY);
    return reason === undefined ? [] : [`${query.place}: ${reason}`];
  });
}

function faultOf({ expr, shown }: Query, known: KnownSeries): string | undefined {
  try {
    const labels = resultLabels(expr, known);
    const missing = shown.filter((label) => !labels.has(label));
    return missing.length === 0 ? undefined : `its result has no ${missing.join(", ")}`;
  } catch (error) {
    return String(error);
  }
}

describe("the queries of the dashboard", () => {
  test("use only metrics and labels that exist, and show only labels of the result", () => {
    expect(faults(DASHBOARD)).toEqual([]);
    expect(queriesOf(DASHBOARD).length).toBeGreaterThan(40);
  });

  test.each<[why: string, from: string, to: string, fault: string]>([
    ["a wrong metric name", "proxy_backend_load", "proxy_backend_loads", "no metric"],
    ["a counter without its suffix", "proxy_requests_total{", "proxy_requests{", "no metric"],
    [
      "a histogram name with a wrong unit",
      "proxy_request_duration_b",
      "proxy_request_duration_seconds_b",
      "no metric",
    ],
    ["an unknown label in a matcher", "status_code=~", "status=~", 'no label "status"'],
    ["an unknown label to group by", "sum by (outcome)", "sum by (result)", 'no label "result"'],
    ["a label of another metric", "sum by (reason)", "sum by (action)", 'no label "action"'],
    ["an unknown label in a legend", '"{{error_type}}"', '"{{error}}"', "its result has no error"],
    [
      "an unknown metric of an engine",
      "vllm:kv_cache_usage_perc",
      "vllm:gpu_cache_usage_perc",
      "no metric",
    ],
    [
      "one of our metrics among the engines' metrics",
      "sglang:token_usage",
      "proxy_backends_active",
      "no metric",
    ],
    ["an unknown metric in a variable", "|proxy_model_backends", "|proxy_models", "no metric"],
    ["an unknown label in a variable", "}, model)", "}, models)", "its result has no models"],
    ["an unknown metric in an annotation", "updates_total[1m]", "changes_total[1m]", "no metric"],
    [
      "an unknown label in an annotation",
      '"textFormat": "{{action}}"',
      '"textFormat": "{{model}}"',
      "no model",
    ],
  ])("the check finds %s", (_why, from, to, fault) => {
    expect(TEXT).toContain(from);
    const changed = JSON.parse(TEXT.replaceAll(from, to)) as Dashboard;
    const found = faults(changed);
    expect(found.length).toBeGreaterThan(0);
    for (const line of found) expect(line).toContain(fault);
  });

  test("use only variables that the dashboard defines", () => {
    const names = DASHBOARD.templating.list.map(({ name }) => name);
    expect(names).toEqual(["datasource", "model", "interval"]);
    const used = queriesOf(DASHBOARD).flatMap(({ expr }) =>
      [...expr.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name),
    );
    expect([...new Set(used)].toSorted()).toEqual(["interval", "model"]);
  });

  test("go to the Prometheus that is chosen at the top", () => {
    expect(DASHBOARD.templating.list[0]).toMatchObject({ type: "datasource", query: "prometheus" });
    for (const { place, datasource } of queriesOf(DASHBOARD)) {
      expect([place, datasource]).toEqual([place, { type: "prometheus", uid: `\${datasource}` }]);
    }
  });

  test("show every metric of the proxy except http_server_active_requests", () => {
    const shown = queriesOf(DASHBOARD)
      .map(({ expr }) => expr)
      .join("\n");
    const names = [...PROXY.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, ""));
    const missing = [...new Set(names)].filter((name) => !shown.includes(name));
    expect(missing).toEqual(["http_server_active_requests"]);
  });
});

describe("the panels of the dashboard", () => {
  const panels = DASHBOARD.panels.filter(({ type }) => type !== "row");

  test("each have a unique title, a description in sentences, and a unit", () => {
    for (const { title, description = "", fieldConfig } of panels) {
      expect(title).not.toBe("");
      expect([title, description]).toEqual([title, expect.stringMatching(/^[A-Z].*\.$/)]);
      expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.stringMatching(/./)]);
    }
    const inRow = DASHBOARD.panels.map(({ title, type }) => `${type} ${title}`);
    expect(new Set(inRow).size).toBe(inRow.length);
  });

  test("have unique ids, and their queries too", () => {
    expect(new Set(DASHBOARD.panels.map(({ id }) => id)).size).toBe(DASHBOARD.panels.length);
    for (const { title, targets = [] } of panels) {
      expect([title, new Set(targets.map(({ refId }) => refId)).size]).toEqual([
        title,
        targets.length,
      ]);
      expect(targets.length).toBeGreaterThan(0);
    }
  });

  test("lie within the 24 columns and do not overlap", () => {
    const { panels: all } = DASHBOARD;
    for (const { gridPos } of all) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    const clashes = all.flatMap((one, index) =>
      all
        .slice(index + 1)
        .filter((other) => overlap(one, other))
        .map((other) => [one.title, other.title]),
    );
    expect(clashes).toEqual([]);
  });

  test("no row is empty", () => {
    for (const { title } of DASHBOARD.panels.filter(({ type }) => type === "row")) {
      expect([title, panelsOfRow(DASHBOARD, title).length > 0]).toEqual([title, true]);
    }
    expect(panelsOfRow(DASHBOARD, ENGINES_ROW)).toHaveLength(3);
  });
});

test("the file is formatted, and its uid stays the same", () => {
  expect(TEXT).toBe(`${JSON.stringify(DASHBOARD, null, 2)}\n`);
  expect(DASHBOARD.uid).toBe("lw-inference-proxy");
});

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  const across = a.x < b.x + b.w && b.x < a.x + a.w;
  return across && a.y < b.y + b.h && b.y < a.y + a.h;
}
