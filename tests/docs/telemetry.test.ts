/** docs/telemetry.md agrees with the code, the dashboard, the alert rules and the answer of /sd/prometheus. */
import { describe, expect, test } from "bun:test";
import { scrapeTargetsResponse } from "../../src/proxy/own/scrape-targets.ts";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { TELEMETRY_VARIABLES } from "../../src/telemetry/settings.ts";
import { codeBlocks, readText, tableOf } from "../support/docs.ts";
import type { Dashboard } from "../support/grafana.ts";
import { resultLabels } from "../support/promql/query.ts";
import { proxySeries, readSeries } from "../support/promql/scraped.ts";

const DOCS = readText("docs/telemetry.md");

/** The rows of a table, without backticks. */
const table = (heading: string): readonly (readonly string[])[] =>
  tableOf(DOCS, heading).map((row) => row.map((cell) => cell.replaceAll("`", "")));

test("the page lists exactly OpenTelemetry's variables, with their defaults", () => {
  const defaults = Object.entries(TELEMETRY_VARIABLES).map(([name, variable]) => [
    name,
    variable.default || "–",
  ]);
  const rows = table("OpenTelemetry's variable").flatMap(([names = "", value]) =>
    [...names.matchAll(/OTEL_\w+/g)].map(([name]) => [name, value]),
  );
  expect(rows.toSorted()).toEqual(defaults.toSorted());
});

test("the page lists exactly the proxy's metrics, with their units and labels", () => {
  const metrics = Object.values(METRICS).map(({ name, unit, labels }) => [
    name,
    unit,
    labels.join(", ") || "–",
  ]);
  expect(table("Metric").map((row) => row.slice(0, 3))).toEqual(metrics);
});

test("the table of rows lists the rows of the dashboard in their order", () => {
  const { panels } = JSON.parse(readText("deploy/grafana/dashboard.json")) as Dashboard;
  const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
  expect(table("Row").map(([row]) => row)).toEqual(rows);
});

test("the page shows the real answer of /sd/prometheus", async () => {
  const shown = codeBlocks(DOCS, "json")[0] ?? "";
  const target = {
    id: "4f2a9c…",
    name: "vllm-1",
    origin: "http://172.18.0.5:8000",
    models: ["Qwen/Qwen3-0.6B"],
  };
  const answer: unknown = await scrapeTargetsResponse([target]).json();
  expect(JSON.parse(shown)).toEqual(answer);
});

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly annotations: Readonly<Record<string, string>>;
};

describe("the alerts", () => {
  const { groups } = Bun.YAML.parse(readText("deploy/prometheus/alerts.yml")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);

  test("in the table are those of the file, in its order, and fire after the time in the table", () => {
    const rows = table("Alert");
    expect(rows.map(([alert]) => alert)).toEqual(rules.map(({ alert }) => alert));
    for (const [index, rule] of rules.entries()) {
      const minutes = `${Number.parseInt(rule.for, 10)} min`;
      expect([rule.alert, rule.for, rows[index]?.[1]]).toEqual([
        rule.alert,
        minutes.replace(" min", "m"),
        expect.stringContaining(`for ${minutes}`),
      ]);
    }
  });

  test("use existing metrics and labels, and show labels that their result has", async () => {
    const up = readSeries("# TYPE up gauge\nup 1"); // Prometheus makes this series for each target
    const known = new Map([...(await proxySeries()), ...up]);
    for (const { alert, expr, annotations } of rules) {
      const labels = resultLabels(expr, known);
      const told = [
        ...Object.values(annotations)
          .join()
          .matchAll(/\$labels\.(\w+)/g),
      ];
      const missing = told.map(([, label = ""]) => label).filter((label) => !labels.has(label));
      expect([alert, missing]).toEqual([alert, []]);
    }
  });
});
